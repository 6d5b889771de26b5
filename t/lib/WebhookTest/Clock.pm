package WebhookTest::Clock;

# The wall clock of an nginx, set by the test (t/faults/clock.c):
#
#	my $c = WebhookTest::Clock->new($t);	# before $t->run()
#	$c->set(SECONDS);			# so much ahead of the real one
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

	my $self = bless { ahead => 0, file => $t->dir() . '/clock' }, $class;
	my $library = $t->dir() . '/clock.so';

	my ($status, $said) = $t->output($ENV{CC} || 'cc', '-shared', '-fPIC', '-O2',
		'-Wall', '-Werror', '-o', $library, repo('t/faults/clock.c'), '-ldl');
	die "clock.c: $said\n" if $status != 0;

	write_file($self->{file}, pack 'q', 0);
	open $self->{f}, '+<:raw', $self->{file} or die "$self->{file}: $!\n";

	$t->{env} = { %{ $t->{env} }, LD_PRELOAD => $library,
		CLOCK => $self->{file} };

	return $self;
}

sub set {
	my ($self, $seconds) = @_;

	$self->{ahead} = $seconds;

	sysseek $self->{f}, 0, 0;
	syswrite $self->{f}, pack 'q', $seconds * 1000;
}

sub now { return time + $_[0]{ahead} }

###############################################################################

1;

###############################################################################
