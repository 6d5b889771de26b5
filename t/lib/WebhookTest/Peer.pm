package WebhookTest::Peer;

# A server of ours beside nginx: a receiver, an upstream, the example API.
# Made by WebhookTest's receiver(), upstream() and example_api(); see there.

###############################################################################

use warnings;
use strict;

use IO::Handle;
use IO::Socket::UNIX;
use JSON::PP;
use MIME::Base64 qw/ decode_base64 /;
use Socket qw/ SOCK_STREAM /;
use Time::HiRes qw/ time /;

###############################################################################

sub new {
	my ($class, %o) = @_;

	my $self = bless { %o, requests => [], events => [], offset => 0 },
		$class;

	$self->start();

	return $self;
}

sub start {
	my ($self) = @_;

	unlink "$self->{base}.sock";

	my $argument = JSON::PP->new->utf8->canonical->encode({
		%{ $self->{conf} },
		host => '127.0.0.1',
		port => $self->{port} + 0,
		log => "$self->{base}.log",
		control => "$self->{base}.sock",
	});

	pipe(my $in_r, my $in_w) or die "pipe: $!";
	pipe(my $out_r, my $out_w) or die "pipe: $!";

	my $pid = fork();
	die "fork: $!" unless defined $pid;

	if ($pid == 0) {
		open STDIN, '<&', $in_r;
		open STDOUT, '>&', $out_w;
		open STDERR, '>>', "$self->{base}.stderr";
		close $_ for $in_r, $in_w, $out_r, $out_w;

		exec 'node', $self->{program}, $argument or POSIX::_exit(127);
	}

	close $in_r;
	close $out_w;

	$self->{pid} = $pid;
	$self->{stdin} = $in_w;

	my $line = <$out_r>;

	if (!defined $line || $line !~ /^ready/) {
		waitpid($pid, 0);
		delete $self->{pid};
		die "$self->{program} did not start: " . $self->stderr() . "\n";
	}

	return $self;
}

sub stderr {
	my ($self) = @_;

	open my $f, '<', "$self->{base}.stderr" or return '';
	local $/;
	return scalar(<$f>);
}

# the process gone, and its connections with it; start() brings it back with
# the rules it was made with

sub stop {
	my ($self) = @_;

	if (my $pid = delete $self->{pid}) {
		local $?;

		kill 'KILL', $pid;
		waitpid($pid, 0);
		close delete $self->{stdin};
		close delete $self->{socket} if $self->{socket};
	}

	return $self;
}

sub name { $_[0]{name} }
sub port { $_[0]{port} }
sub host { "127.0.0.1:$_[0]{port}" }

sub url {
	my ($self, $path) = @_;

	my $scheme = $self->{conf}{tls} ? 'https' : 'http';
	my $host = $self->{conf}{tls} ? 'localhost' : '127.0.0.1';

	return "$scheme://$host:$self->{port}" . (defined $path ? $path : '');
}

sub command {
	my ($self, %c) = @_;

	my $s = $self->{socket} ||= IO::Socket::UNIX->new(
		Type => SOCK_STREAM,
		Peer => "$self->{base}.sock",
	)
		or die "control socket of $self->{name}: $!";

	$s->autoflush(1);
	print $s JSON::PP->new->utf8->encode(\%c) . "\n";

	my $answer = <$s>;

	die "$self->{name} is gone: " . $self->stderr() . "\n"
		unless defined $answer;

	$answer = JSON::PP->new->utf8->decode($answer);

	die "$self->{name}: $answer->{error}\n" if $answer->{error};

	return $answer;
}

# set(PATH => BEHAVIOUR | [BEHAVIOUR, ...], ...); PATH may be "METHOD /path"
# and "*"

sub set {
	my ($self, %rules) = @_;

	if ($self->{program} =~ /dns$/) {
		$self->command(cmd => 'names', names => \%rules);
		return $self;
	}

	$_ = ref $_ eq 'ARRAY' ? $_ : [ $_ ] for values %rules;

	$self->command(cmd => 'rules', rules => \%rules);

	return $self;
}

# {connections, open, requests, in_flight, max_in_flight, held}

sub stats { $_[0]->command(cmd => 'stats') }
sub reset_stats { $_[0]->command(cmd => 'reset_stats') }

# answer requests that "hold" keeps; all, or the oldest COUNT

sub release {
	my ($self, $count, %behaviour) = @_;

	return $self->command(cmd => 'release', count => $count,
		behaviour => \%behaviour)->{released};
}

# connections closed; the port closed, too; open again

sub close_all { $_[0]->command(cmd => 'close') }
sub deafen { $_[0]->command(cmd => 'deafen') }
sub listen { $_[0]->command(cmd => 'listen') }

sub poll {
	my ($self) = @_;

	open my $f, '<:raw', "$self->{base}.log" or return;
	seek $f, $self->{offset}, 0;

	while (my $line = <$f>) {
		last if $line !~ /\n\z/;
		$self->{offset} += length $line;

		if ($line =~ /^\{"ev":"request"/) {
			my %r = $line =~ /"(\w+)":"?([^",}]*)"?/g;
			($r{target}) = $line =~ /"target":("(?:[^"\\]|\\.)*")/;
			$r{target} = JSON::PP->new->utf8->allow_nonref
				->decode($r{target});

			push @{ $self->{requests} },
				WebhookTest::Request->new(%r);
			next;
		}

		push @{ $self->{events} }, JSON::PP->new->utf8->decode($line);
	}
}

# all requests so far, oldest first; with PATH only those to it

sub requests {
	my ($self, $path) = @_;

	$self->poll();

	return grep { !defined $path || $_->path() eq $path }
		@{ $self->{requests} };
}

# connections opened, closed, TLS errors: {ev, conn, time, ...}

sub events {
	my ($self, $ev) = @_;

	$self->poll();

	return grep { !defined $ev || $_->{ev} eq $ev } @{ $self->{events} };
}

# waits until there are N; returns those that are there, however many

sub wait_requests {
	my ($self, $n, $timeout, $path) = @_;

	WebhookTest::wait_for(sub { $self->requests($path) >= $n }, $timeout);

	return $self->requests($path);
}

# the same for requests that a filter holds true for

sub wait_request {
	my ($self, $filter, $timeout) = @_;

	my $found;

	WebhookTest::wait_for(sub {
		($found) = grep { $filter->($_) } $self->requests();
		return $found;
	}, $timeout);

	return $found;
}

sub forget {
	my ($self) = @_;

	$self->poll();
	$self->{requests} = [];
	$self->{events} = [];

	return $self;
}

sub DESTROY {
	my ($self) = @_;

	$self->stop() if $self->{owner} == $$;
}

###############################################################################

package WebhookTest::Request;

# A request as a server got it: method, target (with query), path, query,
# header NAME (the first, or all in list context), headers (a list of [name,
# value], in order), body (bytes), json, time (seconds), conn (a number for
# each connection), proto (http, https, h2.0)

use JSON::PP;
use MIME::Base64 qw/ decode_base64 /;

sub new {
	my ($class, %r) = @_;

	return bless { %r, headers => undef,
		head => decode_base64($r{headers}),
		body => decode_base64($r{body}) }, $class;
}

sub method { $_[0]{method} }
sub target { $_[0]{target} }
sub time { $_[0]{time} }
sub conn { $_[0]{conn} }
sub proto { $_[0]{proto} }
sub body { $_[0]{body} }

sub path {
	my ($self) = @_;

	return $self->{target} =~ /^([^?]*)/ ? $1 : '';
}

sub query {
	my ($self) = @_;

	return $self->{target} =~ /\?(.*)/s ? $1 : '';
}

sub headers {
	my ($self) = @_;

	$self->{headers} ||= [ map { [ split /: /, $_, 2 ] }
		split /\n/, $self->{head} ];

	return @{ $self->{headers} };
}

sub header {
	my ($self, $name) = @_;

	my @values = map { $_->[1] } grep { lc $_->[0] eq lc $name }
		$self->headers();

	return wantarray ? @values : $values[0];
}

sub json {
	my ($self) = @_;

	return $self->{json} ||= JSON::PP->new->utf8->allow_nonref
		->decode($self->{body});
}

###############################################################################

1;
