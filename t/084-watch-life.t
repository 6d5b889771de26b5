#!/usr/bin/perl

# watch: where it begins, that it ends, what it counts and says.

###############################################################################

use warnings;
use strict;

use List::Util qw/ uniq /;
use Test::More;

use WebhookTest;

###############################################################################

my $t = WebhookTest->new(workers => 2);
my $api = $t->upstream('api');
my $r = $t->receiver('hook');

sub configure {
	my ($late) = @_;

	$t->http_config(<<"EOF");

webhook_api jobs {
    id      /id;
    state   /status;
    states  LAUNCHED queued;
    states  STARTED running;
    states  FINISHED done;
    run     /attempt;

    watch  /api/jobs/\$webhook_execution?own every=100ms for=1h;

    route POST /api/jobs { launch; }
    route GET /api/list { each /jobs/*; }
    route GET /api/jobs/* { }

    route GET /api/short/* {
        watch /api/short/\$webhook_execution?own every=100ms for=300ms;
    }

    route POST /cached/jobs {
        launch;
        watch /cached/\$webhook_execution?own every=100ms;
        watch_header Authorization operators-own;
    }
    route GET /cached/* { }

    route GET /api/grow/* {
        watch /api/grow/\$webhook_execution?own every=100ms;
    }
}

webhook_api late {
    id      /id;
    state   /status;
    states  FINISHED done;

    $late
    route POST /late/jobs { launch; }
    route GET /late/jobs/* { }
}

webhook_defaults { events EXECUTION; }

proxy_cache_path  %%TESTDIR%%/cache keys_zone=cache:1m;

server {
    listen  127.0.0.1:%%PORT_0%%;

    location /api/ {
        proxy_pass                 %%URL_api%%;
        proxy_ignore_client_abort  on;
        webhook_observe            jobs;
        webhook hook { url %%URL_hook%%/; }
    }

    location /cached/ {
        proxy_pass                     %%URL_api%%;
        proxy_ignore_client_abort      on;
        proxy_cache                    cache;
        proxy_cache_valid              1s;
        proxy_cache_use_stale          updating;
        proxy_cache_background_update  on;
        webhook_observe                jobs;
        webhook hook { url %%URL_hook%%/; }
    }

    location /late/ {
        proxy_pass                 %%URL_api%%;
        proxy_ignore_client_abort  on;
        webhook_observe            late;
        webhook hook { url %%URL_hook%%/; }
    }

    location /status/ { webhook_status; }
}

EOF
}

configure('');
$t->run();

###############################################################################

sub events {
	my ($id, $n) = @_;
	my @events;

	wait_for {
		@events = map { $_->json->{event} }
			grep { $_->json->{execution}{id} eq $id } $r->requests();
		@events >= $n;
	};

	return join ' ', @events;
}

# requests of our own

sub asked { return grep { $_->target() eq "$_[0]?own" } $api->requests() }

sub job {
	my ($id, $status, %o) = @_;
	return { json => { id => $id, status => $status, %o } };
}

sub watch { return $t->get('/status/hooks')->json->{watch} }

# first seen by a client's poll, whatever it is then

$api->set('/api/jobs/a' => [ job('a', 'running'), job('a', 'running'),
	job('a', 'done') ], '/api/jobs/b' => [ job('b', 'queued'),
	job('b', 'running'), job('b', 'done') ]);

$t->get("/api/jobs/$_") for qw/ a b /;

is(events('a', 2), 'STARTED FINISHED', 'first seen running');
is(events('b', 3), 'LAUNCHED STARTED FINISHED', 'first seen waiting');
is(scalar asked('/api/jobs/a'), 2, 'asked until it was final');

# in a list

$api->set('/api/list' => { json => { jobs => [ { id => 'l1', status =>
	'running' }, { id => 'l2', status => 'done' }, { id => 'l3', status =>
	'queued' } ] } }, map { ("/api/jobs/$_" => job($_, 'done')) }
	qw/ l1 l2 l3 /);
$t->get('/api/list');

is(events('l1', 2), 'STARTED FINISHED', 'in a list - running');
is(events('l3', 3), 'LAUNCHED STARTED FINISHED', 'in a list - waiting');
is(scalar asked('/api/jobs/l2'), 0, 'in a list - final');

# another run is another watch

$api->set('/api/jobs/a' => [ job('a', 'queued'), job('a', 'done') ],
	'/api/jobs' => job('a', 'queued'));
$t->post('/api/jobs', '{}');
is(events('a', 5), 'STARTED FINISHED LAUNCHED STARTED FINISHED',
	'another run');

# once "for" is over no poll begins it again

$api->set('/api/short/s' => job('s', 'running'));
$t->get('/api/short/s');
ok(wait_for { watch()->{lapsed} == 1 }, 'its time is over');

my $n = asked('/api/short/s');
ok($n >= 1 && $n <= 3, "asked in time: $n");

$api->set('/api/short/s' => job('s', 'running', poll => 1));
$t->get('/api/short/s');
$api->set('/api/jobs/t' => [ job('t', 'running'), job('t', 'running', n => 1),
	job('t', 'running', n => 2), job('t', 'done') ]);
$t->get('/api/jobs/t');
is(events('t', 2), 'STARTED FINISHED', 'another one');
is(scalar asked('/api/short/s'), $n, 'and not asked for again');

ok(wait_for { watch()->{executions} == 0 }, 'none is left')
	or diag(explain(watch()));

###############################################################################

# what is answered, and what is not; the interval grows

is(watch()->{failed} + watch()->{denied}, 0, 'nothing has failed yet');

$t->mark_log();
$api->set('/api/grow/g' => [ job('g', 'running'), ({ status => 401,
	json => { error => 'secret-text' } }) x 2, { status => 403 },
	{ status => 503 }, { drop => 'close' }, job('g', 'done') ]);
$t->get('/api/grow/g');
is(events('g', 2), 'STARTED FINISHED', 'after refusals and failures');

my $watch = watch();
is($watch->{denied}, 3, 'refused');
is($watch->{failed}, 2, 'failed');
cmp_ok($watch->{answered}, '>=', 8, 'answered');

my @said = $t->grep_log(qr/webhook watch/);
my $denied = qr/the credential of webhook_api "jobs" \(watch_header\) is /;
my @denied = grep { /\[error\].*${denied}refused with status 40[13], for the /
	} @said;

ok(@denied >= 1 && @denied <= 2, 'one line about it, of each worker')
	or diag(join "\n", @said);
unlike(join("\n", @said), qr/secret-text|\?own/, 'nothing of the answer');

my @times = map { $_->{time} } asked('/api/grow/g');
my @gaps = map { $times[$_] - $times[$_ - 1] } 1 .. $#times;

is(scalar @gaps, 5, 'asked six times');
cmp_ok($gaps[$_], '>=', 0.19 * 2 ** $_, "gap $_ has doubled") for 0 .. 3;

my %m = map { /^nginx_webhook_(watch\S+) (\d+)$/ ? ($1 => $2) : () }
	split /\n/, $t->get('/status/metrics')->body;

is($m{'watch_requests_total{outcome="denied"}'}, 3, 'metrics - refused');
is($m{'watch_requests_total{outcome="failed"}'}, 2, 'metrics - failed');
is($m{'watch_requests_total{outcome="answered"}'}, watch()->{answered},
	'metrics - answered');
is($m{'watches_lapsed_total'}, 1, 'metrics - lapsed');
is($m{watches}, watch()->{executions}, 'metrics - watched');

###############################################################################

# a cache that answers at once, and asks the API meanwhile

$api->set('/cached/jobs' => job('c', 'queued'), '/cached/c' =>
	[ job('c', 'running'), { %{ job('c', 'done') }, delay => 500 } ]);
$t->post('/cached/jobs', '{}');
is(events('c', 3), 'LAUNCHED STARTED FINISHED', 'a cache is updated');

# a slow machine finds it stale once more

my @credentials = map { $_->header('Authorization') } asked('/cached/c');

cmp_ok(scalar @credentials, '>=', 2, 'it is asked for');
is(join(' ', uniq(@credentials)), 'operators-own', 'with the credential');

###############################################################################

# launched before the description had a watch

$api->set('/late/jobs' => job('z', 'queued'), '/late/jobs/z' => [
	(job('z', 'running')) x 3, job('z', 'done') ]);
$t->post('/late/jobs', '{}');
$t->get('/late/jobs/z');
is(events('z', 2), 'LAUNCHED STARTED', 'not watched');

configure('watch /late/jobs/$webhook_execution?own every=100ms;');
ok($t->reload(), 'reload');

is(scalar asked('/late/jobs/z'), 0, 'not asked for');
$t->get('/late/jobs/z');
is(events('z', 3), 'LAUNCHED STARTED FINISHED', 'a poll begins it');

$t->done();

###############################################################################
