#!/usr/bin/perl

# What senders of webhooks are known to break under, as their users met it:
# many deliveries at once, slow endpoints, names that come late, full queues,
# long logs, long idle times.
#
# Elsewhere: bodies of 64 KiB and 1 MiB and "Expect", 056-payload-sizes;
# timeouts that do not fire, 051-transport and 071-delivery; an endpoint in the
# way of others, 074-isolation; errors without a sentence, 051-transport and
# 052-transport-names; secrets in logs, 073-secrets; caps that do not hold,
# 071-delivery and 077-connections.

###############################################################################

use warnings;
use strict;

use List::Util qw/ uniq /;
use Test::More;
use Time::HiRes qw/ time /;

use WebhookTest;

###############################################################################

my @many = map { "many$_" } 1 .. 20;

# webhook => its settings, and the host of its url if it has another; each but
# these has a location

my %hooks = (
	kept => [ 'max_in_flight 4;' ],
	via => [ 'max_in_flight 4; via @kept;' ],
	queued => [ 'max_in_flight 4; timeout 2s; retry off;' ],
	late => [ 'retry' . ' 1s' x 9 . ';', 'late.test' ],
	drift => [ 'queue 5; max_in_flight 1; timeout 60s; retry 1s 1s;' ],
	flood => [ 'queue 1; max_in_flight 1; timeout 60s;' ],
	logged => [ '' ],
	idle => [ 'retry 1h;' ],
	map({ $_ => [ 'timeout 60s; retry 1h;' ] } @many),
);

my $t = WebhookTest->new();
my $up = $t->upstream('up');
my $dns = $t->dns('dns');
my $r = $t->receiver('r', rules => {
	'/queued' => { status => 204, delay => 150 },
	'/idle' => { status => 500 },
	map({ ("/$_" => { hold => 1 }) } 'drift', 'flood', @many),
});

my $locations = '';

for my $name ('many', grep { !/^many/ } sort keys %hooks) {
	$locations .= "location /jobs/$name { proxy_pass %%URL_up%%;\n";

	for my $hook ($name eq 'many' ? @many : $name) {
		my ($settings, $host) = @{ $hooks{$hook} };
		$host ||= '127.0.0.1';

		$locations .= "webhook $hook { $settings"
			. " url http://$host:%%PORT_r%%/$hook; }\n";
	}

	$locations .= "}\n";
}

$t->http_config(<<"EOF");

resolver 127.0.0.1:%%PORT_dns%% ipv6=off;

webhook_zone zone=webhooks:32m log=1500;

webhook_api jobs {
    id         /id;
    execution  "";
    route      POST /jobs/* { launch; each /jobs/*; }
}

webhook_defaults { events EXECUTION; }

upstream kept {
    server %%HOST_r%%;
    keepalive 4;
}

server {
    listen 127.0.0.1:%%PORT_0%%;
    server_name localhost;

    proxy_ignore_client_abort on;
    webhook_observe jobs realm=\$uri;

    $locations

    location \@kept {
        include %%CONF%%/webhook/via.conf;
        proxy_pass http://kept;
    }

    location /status/ {
        access_log off;
        webhook_status;
    }
}

EOF

$t->run();

###############################################################################

# "a connection for each delivery: slow at fast endpoints, and no ports left at
# slow ones"

for my $name (qw/ kept via /) {
	my $before = metric('connections_total{kind="reused"}');

	launch($name, 1 .. 200);
	my @q = $r->wait_requests(200, 20, "/$name");

	is(@q, 200, "$name - all came");
	cmp_ok(uniq(map { $_->conn } @q), '<=', 8, "$name - on few connections");

	next if $name eq 'via';

	my $reused = wait_for {
		metric('connections_total{kind="reused"}') - $before >= 192
	};
	ok($reused, "$name - and the metrics say so");
}

# "the timeout runs while a delivery waits for its turn: 200 at once, and the
# later ones time out unsent"

launch('queued', 1 .. 100);
my @q = $r->wait_requests(100, 30, '/queued');

is(@q, 100, 'queued - all came');
cmp_ok($q[-1]->time - $q[0]->time, '>', 2, 'queued - longer than the timeout');
ok(wait_for { hook('queued')->{delivered} == 100 }, 'queued - delivered');
is(hook('queued')->{attempts}, 100, 'queued - each at once');

# "a name that is not there yet is taken for one that never will be"

launch('late', 1);
ok(wait_for { hook('late')->{attempts} == 1 }, 'late - no such name');
$dns->set('late.test' => '127.0.0.1');
is($r->wait_requests(1, 20, '/late'), 1, 'late - sent when there is');
is(first('late')->{attempts}[0]{error}, 'dns', 'late - what it was');

# "a payload is copied for each endpoint, and memory is full"

my $free = metric('zone_use_bytes{use="free"}');

launch('many', { id => 1, text => 'x' x 200000 });

my $came = grep { $r->wait_requests(1, 20, "/$_") == 1 } @many;

is($came, @many, 'many - all came');
cmp_ok($free - metric('zone_use_bytes{use="free"}'), '<', 250000,
	'many - one payload for all of them');

# "a line in the log for each that is dropped, and the disk is full"

$t->mark_log();
my $began = time();

launch('flood', 500 * $_ + 1 .. 500 * $_ + 500) for 1 .. 4;

my $dropped = wait_for { hook('flood')->{dropped} >= 1990 } 20;
ok($dropped, 'flood - nearly all dropped');
ok($t->wait_log(qr/webhook "flood".*dropped/), 'flood - said');
cmp_ok($t->grep_log(qr/dropped/), '<=', time() - $began + 2,
	'flood - a line a second');

# "a counter drifts, and the queue is full until somebody restarts it"

for my $round (1 .. 3) {
	my $before = hook('drift');
	my $taken;

	launch('drift', map { "$round.$_" } 1 .. 10);

	my $full = wait_for {
		my $h = hook('drift');
		$taken = $h->{waiting} + $h->{in_flight};

		# five, and one more if the first was sent before the sixth came

		$h->{in_flight} == 1 && ($taken == 5 || $taken == 6)
			&& $taken + $h->{dropped} == $before->{dropped} + 10
	};
	ok($full, "drift $round - as many as may wait, and no more");

	# what was in flight is sent again by another

	$r->forget();
	$t->kill_worker($_, 'KILL') for $t->worker_pids();
	$t->wait_workers();
	is($r->wait_requests(1, 20, '/drift'), 1, "drift $round - killed");

	my $drained = wait_for {
		$r->release();
		hook('drift')->{delivered} == $before->{delivered} + $taken
	} 20;
	ok($drained, "drift $round - and sent");
}

# "the longer the log, the slower": a worker's time on the processor

SKIP: {
	skip 'no such figure under valgrind', 1 if $ENV{WEBHOOK_VALGRIND};

	my @spent;

	for my $round (0 .. 3) {
		my $before = spent();

		launch('logged', 500 * $round + 1 .. 500 * $round + 500);
		wait_for {
			hook('logged')->{delivered} == 500 * $round + 500
		} 30;

		push @spent, spent() - $before;
	}

	cmp_ok($spent[3], '<', 2 * $spent[0], 'logged - no slower') or note("@spent");
}

# "a monitor that polls for what is due: an idle sender is never idle"

launch('idle', 1 .. 4);
ok(wait_for { hook('idle')->{attempts} == 4 }, 'idle - four wait for an hour');

my $until = time() + 2;
my $wakes = wakes();
wait_for { time() >= $until };

cmp_ok(wakes() - $wakes, '<', 40, 'idle - a lease a second, and no more');

$t->done();

###############################################################################

# one response that launches these: ids, or whole documents

sub launch {
	my ($name, @jobs) = @_;

	$up->set("/jobs/$name" => { json => { jobs => [
		map { ref $_ ? $_ : { id => $_ } } @jobs ] } });

	return $t->post("/jobs/$name", '{}');
}

sub hook { return $t->get("/status/hooks/$_[0]")->json }

sub first {
	my ($hook) = @_;

	my ($d) = @{ $t->get("/status/deliveries?hook=$hook")->json
		->{deliveries} };

	return $t->get("/status/deliveries/$d->{uuid}")->json;
}

# how often workers woke

sub wakes {
	my $n = 0;

	for my $pid ($t->worker_pids()) {
		$n += $1 if read_file("/proc/$pid/status")
			=~ /^voluntary_ctxt_switches:\s+(\d+)/m;
	}

	return $n;
}

# nanoseconds of all workers

sub spent {
	my $n = 0;

	for my $pid ($t->worker_pids()) {
		$n += $1 if read_file("/proc/$pid/schedstat") =~ /^(\d+)/;
	}

	return $n;
}

sub metric {
	my ($name) = @_;

	my ($value) = $t->get('/status/metrics')->body
		=~ /^nginx_webhook_\Q$name\E (\S+)$/m;

	return $value;
}

###############################################################################
