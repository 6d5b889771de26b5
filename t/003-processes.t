#!/usr/bin/perl

# The harness with nginx in its other shapes: as a daemon, through a binary
# upgrade and back, without a master; a port where connecting hangs.  Then
# itself, interrupted, and unread.

###############################################################################

use warnings;
use strict;

use IO::Select;
use IO::Socket::INET;
use Test::More;

use WebhookTest;

###############################################################################

my $conf = <<'EOF';

server {
    listen 127.0.0.1:%%PORT_0%%;

    location / {
        return 200 "$pid\n";
    }
}

EOF

my $t = WebhookTest->new(daemon => 1, workers => 1);
$t->http_config($conf);
$t->run();

my ($worker) = $t->worker_pids();
is($t->get('/')->body, "$worker\n", 'daemon');
ok($t->reload(), 'daemon - reload');
isnt($t->get('/')->body, "$worker\n", 'daemon - another worker');

my $old = $t->master_pid();
ok($t->upgrade(), 'upgrade');
is($t->old_master_pid(), $old, 'upgrade - old master');
isnt($t->master_pid(), $old, 'upgrade - new master');

kill 'QUIT', $old;
ok(wait_for { !$t->alive($old) }, 'upgrade - old master gone');

($worker) = $t->worker_pids();
is($t->get('/')->body, "$worker\n", 'upgrade - new worker');

ok($t->upgrade(), 'upgrade again');
$t->done(more => 1);
ok(!$t->all_workers(), 'no worker left');

# killed, and started again

$t = WebhookTest->new();
$t->http_config($conf);
$t->run();

my @all = ($t->master_pid(), $t->worker_pids());
$t->crash();
is(grep({ $t->alive($_) } @all), 0, 'crash');

$t->run();
like($t->get('/')->body, qr/^\d+$/, 'crash - started again');

$t->stop();
$t->run();
is($t->worker_pids(), 2, 'stopped and started');
$t->done(more => 1);

# without a master

$t = WebhookTest->new(master => 0);
$t->http_config($conf);
$t->run();

is($t->get('/')->body, $t->master_pid() . "\n", 'no master');
$t->done(more => 1);

# connecting hangs

$t = WebhookTest->new();

my $s = IO::Socket::INET->new(Proto => 'tcp', Blocking => 0,
	PeerAddr => '127.0.0.1', PeerPort => $t->blackhole());

ok(!IO::Select->new($s)->can_write(0.5), 'blackhole');

$t->done(more => 1);

# interrupted, and again until it ends, or unread: nothing is left of it

my $program = <<'EOF';
$| = 1;

my ($daemon, $moment) = @ARGV;
my $t = WebhookTest->new(daemon => $daemon);
my $r = $t->receiver('r');

if ($moment eq 'ends') {
	mkdir $t->dir() . '/many';
	$t->file("many/$_", '') for 1 .. 1000;
}

$t->http_config('server { listen 127.0.0.1:%%PORT_0%%; }');

print $t->dir(), "\n" if $moment eq 'starts';
$t->run();

print $t->dir(), "\n" if $moment =~ /runs|writes/;
print $t->dir(), "\n" if $moment eq 'ends';

wait_for { print "more\n"; 0 } 60 if $moment =~ /runs|writes/;
$t->done();
EOF

for my $moment (qw/ starts runs ends /) {
	interrupt("interrupted when it $moment", 0, $moment);
	interrupt("interrupted when it $moment, a daemon", 1, $moment);
}

interrupt('nobody reads what it writes', 0, 'writes');

done_testing();

###############################################################################

# of the program alone, not of what it started; on a busy machine it may have
# ended before the signal comes: then again

sub interrupt {
	my ($what, $daemon, $moment) = @_;

	my ($status, $dir, $said);

	for (1 .. 10) {
		($status, $dir, $said) = interrupted($daemon, $moment);
		last unless $moment eq 'ends' && $status == 0;
	}

	like($dir, qr!/webhook-test-!, "$what - began");
	is($status, 130, "$what - its status");
	unlike($said, qr/error log ends/, "$what - no word of that");

	is(grep({ read_file($_) =~ /\Q$dir\E/ } glob '/proc/[0-9]*/cmdline'), 0,
		"$what - no process left");
	ok(!-e $dir, "$what - no file left");
}

sub interrupted {
	my ($daemon, $moment) = @_;

	my $pid = open my $out, '-|';
	die "fork: $!" unless defined $pid;

	if ($pid == 0) {
		open STDERR, '>&', \*STDOUT;
		exec $^X, '-I' . WebhookTest::repo('t/lib'), '-MWebhookTest',
			'-e', $program, $daemon, $moment or POSIX::_exit(127);
	}

	chomp(my $dir = <$out>);

	my $said = '';

	if ($moment ne 'writes') {
		wait_for {
			kill 'INT', $pid;
			return !$t->alive($pid);
		} 60;

		$said = join '', <$out>;
	}

	close $out;

	return ($? >> 8, $dir, $said);
}

###############################################################################
