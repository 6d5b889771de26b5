package Bench::Queue;

# Deliveries that wait, and then are sent: a queue is filled while its webhooks
# are paused.
#
#	drain (SENDER, NAME, HOOKS, SIZE, N): {rate (deliveries/s), cpu
#		(microseconds per delivery), whole (that, and what it took to
#		read responses and make the events)}
#	fill (SENDER, URI, SIZE, N): N executions are launched
#	act (SENDER, ACTION, WEBHOOKS), hook (SENDER, WEBHOOK)
#	wait_drained (SENDER, START, WEBHOOKS): until nothing waits

###############################################################################

use warnings;
use strict;

use Time::HiRes qw/ time /;

use WebhookTest;
use Bench;
use Bench::Servers;

use base qw/ Exporter /;
our @EXPORT = qw/ drain fill act hook wait_drained /;

###############################################################################

sub drain {
	my ($s, $name, $hooks, $size, $n) = @_;

	# each is resumed by a request; these should not be what is measured
	$n *= 3 if $hooks > 10;

	# whole responses

	my $each = Bench::Servers->executions($size) * $hooks;
	$n = $each * int(($n + $each - 1) / $each);

	my ($pid) = $s->worker_pids();
	my @names = map { "$name$_" } 1 .. $hooks;

	act($s, 'pause', @names);

	my $before = sums($s, @names);
	my $filling = cpu($pid);

	fill($s, "/$name/$size/launch", $size, $n / $hooks);
	rest($pid) if $s->{stores};

	my $used = cpu($pid);
	my $start = time();

	act($s, 'resume', @names);
	wait_drained($s, $start, @names);

	my $took = time() - $start;

	rest($pid) if $s->{stores};

	my $end = cpu($pid);

	my $after = sums($s, @names);

	my ($delivered, $failed) = map { $after->{$_} - $before->{$_} }
		qw/ delivered failed /;

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
	my ($s, $start, @names) = @_;

	my ($first, $then) = (undef, time());

	for (;;) {
		my $sum = sums($s, @names);
		my $left = $sum->{waiting} + $sum->{in_flight};

		return if $left == 0;

		my $now = time();
		die "$names[0]: $left are left\n" if $now - $start > 300;

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
	my ($s, $action, @names) = @_;

	my $c = $s->connect(0, timeout => 60);

	for (@names) {
		my $r = $c->request('POST', "/status/hooks/$_/$action",
			headers => [ 'X-Webhook-Write' => 1 ]);

		die "$_/$action: " . $r->body if $r->status != 200;
	}
}

# the sums of what these webhooks count; of many, all of that server: a request
# for each would be a part of what is measured

sub sums {
	my ($s, @names) = @_;

	my $uri = '/status/hooks' . (@names == 1 ? "/$names[0]" : '');
	my $text = $s->get($uri, timeout => 60)->body;
	my %sum;

	# counts of attempts, of which one is called delivered

	$text =~ s/"outcomes":\{[^}]*\}//g;

	for my $key (qw/ waiting in_flight delivered failed /) {
		$sum{$key} += $_ for $text =~ /"$key":(\d+)/g;
	}

	return \%sum;
}

sub hook {
	my ($s, $name) = @_;

	return $s->get("/status/hooks/$name", timeout => 60)->json;
}

###############################################################################

1;
