#!/usr/bin/perl

# watch: ten thousand running executions are no burden: nothing is done for
# those whose time has not come, and those that are due are asked for at a
# bounded rate, each in its turn; and none while the API wants none.

###############################################################################

use warnings;
use strict;

use Test::More;

use WebhookTest;

###############################################################################

my $t = WebhookTest->new(workers => 1);
my $api = $t->upstream('api', fallback => { json => { status => 'running' } });
my $r = $t->receiver('hook');

$t->http_config(<<'EOF');

webhook_zone zone=webhooks:32m;

webhook_api jobs {
    id      /id $job;
    state   /status;
    states  LAUNCHED queued;
    states  FINISHED done;

    watch  /status/$webhook_execution every=1h for=24h;

    route POST /slow { launch; each /jobs/*; id ""; }
    route POST /fast {
        launch;
        each  /jobs/*;
        id    "";
        watch /status/$webhook_execution every=100ms for=24h;
    }

    route POST /busy {
        launch;
        each  /jobs/*;
        id    "";
        watch /status/busy/$webhook_execution every=100ms for=24h;
    }

    route GET ~^/status/(?<job>[^/]+)$ { }
    route GET ~^/status/busy/(?<job>.+)$ { }
}

server {
    listen  127.0.0.1:%%PORT_0%%;

    location / {
        proxy_pass                 %%URL_api%%;
        proxy_http_version         1.1;
        proxy_ignore_client_abort  on;
        webhook_observe            jobs;
        webhook busy { url %%URL_hook%%/busy; events FINISHED; }
    }

    location /hook/ { webhook tick { url %%URL_hook%%/tick; retry 2s; } }
    location /status/own/ { webhook_status write=on; }
}

EOF

$t->run();

my ($pid) = $t->worker_pids();

###############################################################################

sub watched {
	return $t->get('/status/own/hooks')->json->{watch}{executions};
}

# what the worker has done: ms of CPU time, and how often it woke up

sub cpu { return read_file("/proc/$pid/schedstat") =~ /^(\d+)/ ? $1 / 1e6 : 0 }

sub woken {
	return read_file("/proc/$pid/status")
		=~ /^voluntary_ctxt_switches:\s+(\d+)/m ? $1 : 0;
}

sub launch {
	my ($path, $from, $n) = @_;

	for my $first (map { $from + 1000 * $_ } 0 .. $n / 1000 - 1) {
		$api->set($path => { json => { jobs => [ $first ..
			$first + 999 ] } });
		$t->post($path, '{}');
	}
}

# the time from an attempt to the next one, which is 2 s

sub meanwhile {
	my $before = $r->requests('/tick');

	$t->post('/status/own/hooks/tick/ping', '',
		headers => [ 'X-Webhook-Write' => 1 ]);
	$r->wait_requests($before + 1, undef, '/tick');

	my ($cpu, $woken) = (cpu(), woken());

	$r->wait_requests($before + 2, undef, '/tick');

	return (cpu() - $cpu, woken() - $woken);
}

ok($r->wait_requests(1, undef, '/tick'), 'the first ping is delivered');
$r->set('/tick' => [ ({ status => 400 }, { status => 204 }) x 3 ]);

my ($cpu, $woken) = meanwhile();

launch('/slow', 100_000, 10_000);
is(watched(), 10_000, 'all are watched');

my ($cpu_many, $woken_many) = meanwhile();

cmp_ok($woken_many, '<', $woken + 10, sprintf
	'woken %d times with 10,000 of them, %d with none', $woken_many,
	$woken);
cmp_ok($cpu_many, '<', $cpu + 10, sprintf
	'%.2f ms of CPU time, %.2f ms with none', $cpu_many, $cpu);

is(scalar(grep { $_->path =~ m!^/status/! } $api->requests()), 0,
	'none is asked for before its time');

###############################################################################

# an API that wants to be left alone, and says how long

sub asked { return grep { $_->path =~ m!^/status/busy/! } $api->requests() }

$api->set("/status/busy/b$_" => { status => 429,
	headers => { 'Retry-After' => 3 } }) for 1 .. 100;
$api->set('/busy' => { json => { jobs => [ map { "b$_" } 1 .. 100 ] } });
$t->post('/busy', '{}');

wait_for { asked() } 10;

my ($begun) = map { $_->{time} } asked();

wait_for { (asked())[-1]{time} - $begun > 2.5 } 20;

my $early = grep { $_->{time} - $begun < 2.5 } asked();

cmp_ok($early, '<=', 16, 'none is asked for while the API wants none');

$api->set("/status/busy/b$_" => { json => { status => 'done' } }) for 1 .. 100;

ok($r->wait_requests(100, 20, '/busy'), 'all are, then');

###############################################################################

# as many that are due ten times a second each

launch('/fast', 200_000, 10_000);

my $from = cpu();
my @asked;

wait_for {
	@asked = grep { $_->path =~ m!^/status/2! } $api->requests();
	@asked >= 1000;
} 30;

my $used = cpu() - $from;
my $time = $asked[999]->{time} - $asked[0]->{time};
my $rate = 999 / $time;

cmp_ok($rate, '<', 340, sprintf 'asked for %.0f a second', $rate);

my %seen;
$seen{$_->path}++ for @asked[0 .. 999];
is(scalar keys %seen, 1000, 'each in its turn');

note(sprintf '%.0f us of CPU time each', 1000 * $used / @asked);

is($t->get('/status/own/hooks')->status, 200, 'clients are served');

$t->done();

###############################################################################
