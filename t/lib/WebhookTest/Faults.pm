package WebhookTest::Faults;

# Calls that fail on demand within nginx (t/faults/fail.c):
#
#	my $f = WebhookTest::Faults->new($t);	# before $t->run()
#	$f->arm(pid => PID, kinds => ALLOC | SYSCALL | BLOCK, nth => N,
#		every => K, all => 0, only => 'fsync', hold => 1,
#		errno => N);
#	$f->counted, failed, what, live		# since arm()
#	$f->where				# the stack of the last one
#	$f->held, release			# with hold: they wait, and then fail,
#						# or do not if it was disarmed
#	$f->disarm

###############################################################################

use warnings;
use strict;

use base qw/ Exporter /;

use WebhookTest;

our @EXPORT = qw/ ALLOC SYSCALL BLOCK /;

use constant { ALLOC => 1, SYSCALL => 2, BLOCK => 4 };

use constant HOLD => 88 + 64 * 8 + 32;
use constant SIZE => HOLD + 12;

###############################################################################

# malloc() is replaced, and the module told by where it is loaded

sub available {
	return !$ENV{WEBHOOK_SANITIZE} && !$ENV{WEBHOOK_VALGRIND}
		&& (!defined $ENV{WEBHOOK_MODULE} || $ENV{WEBHOOK_MODULE});
}

sub new {
	my ($class, $t) = @_;

	my $self = bless {
		t => $t,
		file => $t->dir() . '/faults',
		library => $t->dir() . '/fail.so',
	}, $class;

	my ($status, $said) = $t->output($ENV{CC} || 'cc', '-shared', '-fPIC', '-O2',
		'-Wall', '-Werror', '-o', $self->{library},
		repo('t/faults/fail.c'), '-ldl');
	die "fail.c: $said\n" if $status != 0;

	write_file($self->{file}, "\0" x SIZE);
	open $self->{f}, '+<:raw', $self->{file} or die "$self->{file}: $!\n";

	$t->{env} = { %{ $t->{env} }, LD_PRELOAD => $self->{library},
		FAULTS => $self->{file} };

	return $self;
}

sub put {
	my ($self, $at, $bytes) = @_;

	sysseek $self->{f}, $at, 0;
	syswrite $self->{f}, $bytes;
}

sub take {
	my ($self, $at, $n) = @_;

	my $bytes;

	sysseek $self->{f}, $at, 0;
	sysread $self->{f}, $bytes, $n;

	return $bytes;
}

sub arm {
	my ($self, %o) = @_;

	$self->put(0, pack 'L', 0);
	$self->put(4, pack 'L7', $o{pid} || 0, $o{nth} || 0, $o{every} || 0,
		0, 0, $o{all} || 0, 0);
	$self->put(88 + 64 * 8, pack 'a32', $o{only} || '');
	$self->put(HOLD, pack 'L', $o{hold} || 0);
	$self->put(HOLD + 8, pack 'L', $o{errno} || 0);
	$self->put(0, pack 'L', $o{kinds});
}

sub release { $_[0]->put(HOLD, pack 'L', 0) }
sub held { unpack 'L', $_[0]->take(HOLD + 4, 4) }

sub disarm {
	my ($self) = @_;

	$self->put(0, pack 'L', 0);
	$self->release();
}

sub counted { unpack 'L', $_[0]->take(16, 4) }
sub failed { unpack 'L', $_[0]->take(20, 4) }
sub live { unpack 'q', $_[0]->take(32, 8) }
sub what { unpack 'Z32', $_[0]->take(56, 32) }

sub where {
	my ($self) = @_;

	my $n = unpack 'L', $self->take(28, 4);
	my ($module, $binary) = unpack 'Q2', $self->take(40, 16);
	my @frames = unpack "Q$n", $self->take(88, 8 * $n);
	my $t = $self->{t};
	my ($so) = grep { /webhook/ } @{ $t->{modules} };
	my @said;

	for my $frame (@frames) {
		my ($file, $at) = $frame >= $module && $frame < $module + (-s $so)
			? ($so, $frame - $module) : $frame >= $binary
			&& $frame < $binary + (-s $t->{binary})
			? ($t->{binary}, $frame - $binary) : next;

		my ($status, $text) = $t->output('addr2line', '-f', '-s', '-e',
			$file, sprintf '%x', $at - 1);
		my ($name, $line) = split /\n/, $text;
		push @said, "$name $line";
		last if @said > 12;
	}

	return join "\n\t", $self->what(), @said;
}

###############################################################################

1;

###############################################################################
