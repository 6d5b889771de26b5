package Bench::Queue;

# Deliveries that wait, and then are sent: a queue is filled while its webhooks
# are paused.
#
#	drain (SENDER, NAME, HOOKS, SIZE, N): {rate (deliveries/s), cpu
#		(microseconds per delivery), whole (that, and what it took to
#		read responses and make the events)}
#	fill (SENDER, URI, SIZE, N): N executions are launched
#	act (SENDER, WEBHOOK, ACTION), hook (SENDER, WEBHOOK)

###############################################################################

use warnings;
use strict;

use Time::HiRes qw/ time /;

use WebhookTest;
use Bench;
use Bench::Servers;

use base qw/ Exporter /;
our @EXPORT = qw/ drain fill act hook /;

###############################################################################

sub drain {
	my ($s, $name, $hooks, $size, $n) = @_;

	# whole responses

	my $each = Bench::Servers->executions($size) * $hooks;
	$n = $each * int(($n + $each - 1) / $each);

	my ($pid) = $s->worker_pids();
	my @names = map { "$name$_" } 1 .. $hooks;

	act($s, $_, 'pause') for @names;

	my @before = map { hook($s, $_) } @names;
	my $filling = cpu($pid);

	fill($s, "/$name/$size/launch", $size, $n / $hooks);
	rest($pid) if $s->{stores};

	my $used = cpu($pid);
	my $start = time();

	act($s, $_, 'resume') for @names;
	wait_drained($s, $_, $start) for @names;

	my $took = time() - $start;

	rest($pid) if $s->{stores};

	my $end = cpu($pid);

	my @after = map { hook($s, $_) } @names;
	my ($delivered, $failed) = (0, 0);

	for (0 .. $#names) {
		$delivered += $after[$_]{delivered} - $before[$_]{delivered};
		$failed += $after[$_]{failed} - $before[$_]{failed};
	}

	die "$name: $delivered of $n delivered, $failed failed\n"
		if $delivered != $n;

	return {
		rate => $n / $took,
		cpu => ($end - $used) / $n,
		whole => ($end - $filling) / $n,
	};
}

# who looks rarely does not see the end, who looks often slows it down: the
# next look comes when half of what waits should be gone

sub wait_drained {
	my ($s, $name, $start) = @_;

	my ($first, $then) = (undef, time());

	for (;;) {
		my $hook = hook($s, $name);
		my $left = $hook->{waiting} + $hook->{in_flight};

		return if $left == 0;

		my $now = time();
		die "$name: $left are left\n" if $now - $start > 300;

		$first = $left unless defined $first;

		my $pause = $first > $left
			? ($now - $then) * $left / ($first - $left) / 2 : 0.01;

		$pause = 0.001 if $pause < 0.001;
		$pause = 0.2 if $pause > 0.2;

		select undef, undef, undef, $pause;
	}
}

# a store may have to write yet what the zone tells already

sub rest {
	my ($pid) = @_;
	my ($now, $before) = (cpu($pid));

	do {
		$before = $now;
		select undef, undef, undef, 0.03;
		$now = cpu($pid);
	} until $now - $before < 600;
}

sub fill {
	my ($s, $uri, $size, $n) = @_;

	my $c = $s->connect(0, timeout => 60);
	my $each = Bench::Servers->executions($size);

	for (1 .. $n / $each) {
		my $r = $c->request('POST', $uri, body => '{}');
		die "$uri: " . $r->status . "\n" if $r->status != 200;
	}
}

sub act {
	my ($s, $name, $action) = @_;

	my $r = $s->post("/status/hooks/$name/$action", '',
		headers => [ 'X-Webhook-Write' => 1 ], timeout => 60);

	die "$name/$action: " . $r->body if $r->status != 200;
}

sub hook {
	my ($s, $name) = @_;

	return $s->get("/status/hooks/$name", timeout => 60)->json;
}

###############################################################################

1;
