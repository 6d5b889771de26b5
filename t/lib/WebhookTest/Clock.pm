package WebhookTest::Clock;

# The clocks of an nginx, set by the test (t/faults/clock.c):
#
#	my $c = WebhookTest::Clock->new($t);	# before $t->run()
#	$c->set(SECONDS);			# the wall clock, so much ahead
#						# of the real one
#	$c->pass(SECONDS);			# so much time has passed
#	$c->now					# what nginx takes for the time

###############################################################################

use warnings;
use strict;

use Time::HiRes qw/ time /;

use WebhookTest;

###############################################################################

sub available { return !$ENV{WEBHOOK_SANITIZE} && !$ENV{WEBHOOK_VALGRIND} }

sub new {
	my ($class, $t) = @_;

	my $self = bless { ahead => 0, passed => 0,
		file => $t->dir() . '/clock' }, $class;
	my $library = $t->dir() . '/clock.so';

	my ($status, $said) = $t->output($ENV{CC} || 'cc', '-shared', '-fPIC', '-O2',
		'-Wall', '-Werror', '-o', $library, repo('t/faults/clock.c'), '-ldl');
	die "clock.c: $said\n" if $status != 0;

	write_file($self->{file}, pack 'q2', 0, 0);
	open $self->{f}, '+<:raw', $self->{file} or die "$self->{file}: $!\n";

	$t->{env} = { %{ $t->{env} }, LD_PRELOAD => $library,
		CLOCK => $self->{file} };

	return $self;
}

sub set {
	my ($self, $seconds) = @_;

	$self->{ahead} = $seconds;
	$self->tell();
}

sub pass {
	my ($self, $seconds) = @_;

	$self->{ahead} += $seconds;
	$self->{passed} += $seconds;
	$self->tell();
}

sub tell {
	my ($self) = @_;

	sysseek $self->{f}, 0, 0;
	syswrite $self->{f}, pack 'q2',
		map { $_ * 1000 } @$self{qw/ ahead passed /};
}

sub now { return time + $_[0]{ahead} }

###############################################################################

1;

###############################################################################
