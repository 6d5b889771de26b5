package WebhookTest::Client;

# A connection of a raw HTTP/1.1 client, and what it reads.
#
#	my $c = $t->connect($port);		# keepalive
#	my $r = $c->request('GET', '/uri', headers => [ A => 'b' ],
#		body => '...');			# a WebhookTest::Response
#	$c->write($bytes); $c->read_response($method);
#	$c->close; $c->reset;			# FIN; RST

###############################################################################

use warnings;
use strict;

use IO::Select;
use IO::Socket::INET;
use Socket qw/ SOL_SOCKET SO_LINGER /;
use Time::HiRes qw/ time /;

###############################################################################

sub new {
	my ($class, %o) = @_;

	my $s = IO::Socket::INET->new(
		Proto => 'tcp',
		PeerAddr => $o{host} || '127.0.0.1',
		PeerPort => $o{port},
		Timeout => $o{timeout} || 10,
	)
		or die "connect to port $o{port}: $!\n";

	$s->autoflush(1);
	binmode($s);

	return bless {
		socket => $s, in => '', timeout => $o{timeout} || 10
	}, $class;
}

sub write {
	my ($self, $bytes) = @_;

	local $SIG{PIPE} = 'IGNORE';

	while (length $bytes) {
		my $n = syswrite($self->{socket}, $bytes);
		return 0 unless defined $n;
		substr($bytes, 0, $n, '');
	}

	return 1;
}

sub send_request {
	my ($self, $method, $uri, %o) = @_;

	my @headers = @{ $o{headers} || [] };
	my %has = map { lc $headers[$_ * 2] => 1 } 0 .. @headers / 2 - 1;

	unshift @headers, Host => $o{host} || 'localhost' unless $has{host};

	push @headers, 'Content-Length' => length $o{body}
		if defined $o{body} && !$has{'content-length'}
			&& !$has{'transfer-encoding'};

	push @headers, Connection => 'close' if $o{close} && !$has{connection};

	my $request = "$method $uri HTTP/1.1\r\n";

	while (my ($name, $value) = splice @headers, 0, 2) {
		$request .= "$name: $value\r\n";
	}

	$request .= "\r\n";
	$request .= $o{body} if defined $o{body};

	return $self->write($request);
}

sub request {
	my ($self, $method, $uri, %o) = @_;

	$self->send_request($method, $uri, %o);

	return $self->read_response($method);
}

# more bytes into the buffer; false at the end, or when it takes too long

sub fill {
	my ($self) = @_;

	my $until = time + $self->{timeout};

	IO::Select->new($self->{socket})->can_read($until - time)
		or do { $self->{timedout} = 1; return 0 };

	my $n = sysread($self->{socket}, $self->{in}, 65536,
		length $self->{in});

	return $n;
}

sub read_until {
	my ($self, $re) = @_;

	while ($self->{in} !~ $re) {
		$self->fill() or return undef;
	}

	$self->{in} =~ s/\A(.*?)$re//s;

	return $1;
}

sub read_bytes {
	my ($self, $n) = @_;

	while (length $self->{in} < $n) {
		$self->fill() or last;
	}

	return substr($self->{in}, 0, $n, '');
}

sub read_response {
	my ($self, $method) = @_;

	$method ||= 'GET';

	my ($head, $status);

	do {
		$head = $self->read_until(qr/\r\n\r\n/);
		return undef unless defined $head;

		($status) = $head =~ m!\AHTTP/1\.[01] (\d+)!
			or return undef;

	} while ($status =~ /^1/ && $status != 101);

	my $r = WebhookTest::Response->new($head);

	if ($method eq 'HEAD' || $status == 204 || $status == 304) {
		return $r;
	}

	my $length = $r->header('content-length');

	if (($r->header('transfer-encoding') || '') =~ /chunked/i) {
		$r->{complete} = 0;

		while (defined(my $size = $self->read_until(qr/\r\n/))) {
			$size = hex $size;

			if ($size == 0) {
				$r->{complete} = defined $self->read_until(qr/\r\n/);
				last;
			}

			$r->{body} .= $self->read_bytes($size);
			$self->read_bytes(2);
		}

	} elsif (defined $length) {
		$r->{body} = $self->read_bytes($length);
		$r->{complete} = length $r->{body} == $length;

	} else {
		while ($self->fill()) { }
		$r->{body} = $self->{in};
		$self->{in} = '';
	}

	return $r;
}

# true if the other side has closed, with nothing left to read

sub closed {
	my ($self) = @_;

	return !$self->fill() && !$self->{timedout};
}

sub close {
	my ($self) = @_;

	CORE::close($self->{socket});
}

sub reset {
	my ($self) = @_;

	setsockopt($self->{socket}, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0));
	CORE::close($self->{socket});
}

###############################################################################

package WebhookTest::Response;

# status, header NAME (the first, or all in list context), headers (a list of
# [name, value]), body (chunks undone), json, complete (the body was whole)

use JSON::PP;

sub new {
	my ($class, $head, $body) = @_;

	my ($first, @lines) = split /\r?\n/, $head;
	my ($status) = $first =~ m!^HTTP/[\d.]+ (\d+)!;

	return bless {
		status => $status, line => $first,
		headers => [ map { [ /^([^:]*):\s*(.*)$/ ] } @lines ],
		body => defined $body ? $body : '', complete => 1
	}, $class;
}

sub status { $_[0]{status} }
sub headers { @{ $_[0]{headers} } }
sub body { $_[0]{body} }
sub complete { $_[0]{complete} }

sub header {
	my ($self, $name) = @_;

	my @values = map { $_->[1] } grep { lc $_->[0] eq lc $name }
		$self->headers();

	return wantarray ? @values : $values[0];
}

sub json {
	my ($self) = @_;

	return JSON::PP->new->utf8->allow_nonref->decode($self->{body});
}

###############################################################################

1;
