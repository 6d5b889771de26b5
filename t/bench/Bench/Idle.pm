package Bench::Idle;

# System calls a second of an idle worker with 100 webhooks, all threads.

###############################################################################

use warnings;
use strict;

use WebhookTest;
use Bench;
use Bench::Queue;

###############################################################################

sub run {
	my ($class, $servers) = @_;

	report "### Idle, 100 webhooks\n\n";

	table([ 'one worker', 'system calls/s' ], map {
		my $store = $_;

		my $s = $servers->nginx($servers->server(
			$servers->location('builtin', 100)),
			$store eq 'off' ? () : (store => $store));

		my @row = ("store $store", sprintf '%.1f', calls($servers, $s));

		$servers->drop($s);

		\@row;
	} qw/ off full /);
}

sub calls {
	my ($servers, $s) = @_;

	my ($pid) = $s->worker_pids();
	my $file = $servers->dir() . '/strace';
	my $time = long() ? 20 : 4;

	# all have sent

	drain($s, 'builtin', 100, '600', 1);

	# what they did is written: hardly any CPU time for twenty looks

	my ($looks, $last) = (0, 0);

	wait_for {
		my $now = cpu($pid);

		$looks = $now - $last < 500 ? $looks + 1 : 0;
		$last = $now;

		return $looks > 20;
	} 60
		or die "idle: it does not come to rest\n";

	# told to end, it leaves with that signal

	eval {
		output('timeout', '-s', 'INT', $time, 'strace', '-c', '-f',
			'-o', $file, '-p', $pid);
		1;
	} or read_file($file) or die $@;

	my $said = read_file($file);

	return $said =~ /\s(\d+)\s+(?:\d+\s+)?total/ ? $1 / $time : 0;
}

###############################################################################

1;
