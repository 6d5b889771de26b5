#!/usr/bin/perl

# Why was there no event?  The last observations, each with its reason.

###############################################################################

use warnings;
use strict;

use Test::More;

use WebhookTest;

###############################################################################

my $t = WebhookTest->new(workers => 1);
my $up = $t->upstream('up');
my $r = $t->receiver('r');

$t->http_config(<<'EOF', main => 'worker_shutdown_timeout 100ms;');

webhook_zone zone=webhooks:1m;
webhook_buffer_size 1k;

webhook_api jobs {
    id /id;
    state /status;
    states LAUNCHED queued;
    states STARTED running;
    states FINISHED done;

    route POST /api/jobs { launch; each /jobs/* ""; }
    route GET /api/ignored { ignore; }
    route GET /api/strict { require /kind job; }
    route GET /api/build { }
    also { each /jobs/*; }
    route GET /api/jobs/* { }
    route GET /api/left/* { }
}

server {
    listen 127.0.0.1:%%PORT_0%%;
    server_name localhost;

    location /api/ {
        proxy_pass %%URL_up%%;
        proxy_ignore_client_abort on;
        webhook_observe jobs;

        webhook ci { url %%URL_r%%/; }
    }

    location /api/left/ {
        proxy_pass %%URL_up%%;
        webhook_observe jobs;

        webhook ci { url %%URL_r%%/; }
    }

    location /status/ {
        webhook_status write=on;
    }
}

EOF

$t->run();

###############################################################################

is_deeply(observed(), [], 'nothing yet');

answer('/api/jobs', '{"jobs":[{"id":"a","status":"queued"},'
	. '{"id":"b","status":"running"}]}');
$t->post('/api/jobs?token=s3cret', '{}');

my $first = observed()->[0];
is($first->{reason}, 'events', 'events');
is($first->{events}, 3, 'events - how many');
is($first->{execution}, 'a', 'events - execution');
is("@{ $first->{executions} }", 'a b', 'events - executions');
is($first->{count}, 2, 'events - count');
is($first->{method}, 'POST', 'events - method');
is($first->{path}, '/api/jobs', 'events - path without the query');
is($first->{api}, 'jobs', 'events - api');
is($first->{status}, 200, 'events - status');
like($first->{time}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
	'events - time');

reason('/api/nowhere', '{}', 'no route');
is(observed()->[0]{api}, undef, 'no route - no api');

$t->get('/api/jobs/none');
is(observed()->[0]{reason}, 'status', 'status');
is(observed()->[0]{status}, 404, 'status - 404');

reason('/api/jobs/1', '<html>', 'not JSON');
reason('/api/jobs/1', '{"id":1,"x":99999999999999999999}', 'inexact');
reason('/api/jobs/1', '{"status":"done"}', 'no id');
reason('/api/strict', '{"id":1,"status":"done"}', 'require');
reason('/api/jobs/1', '{"id":1}', 'no status');
reason('/api/jobs/1', '{"id":1,"x":"' . 'x' x 2000 . '"}', 'too large');
reason('/api/jobs/b', '{"id":"b","status":"dreaming"}', 'unknown status text');
reason('/api/jobs/b', '{"id":"b","status":"running"}', 'unchanged');

# long bodies of one length, that differ at their end

my $pad = 'x' x 900;
reason('/api/jobs/p', qq({"id":"p","x":"$pad","status":"running"}), 'events');
$t->get('/api/jobs/p') for 1 .. 2;
reason('/api/jobs/p', qq({"id":"p","x":"$pad","status":"done"   }), 'events');

$up->set('/api/jobs/e' => { headers => { 'Content-Encoding' => 'br' },
	body => 'x' });
$t->get('/api/jobs/e');
is(observed()->[0]{reason}, 'encoding', 'encoding');

my $n = @{ observed() };
reason('/api/ignored', '{"id":1,"status":"done"}', 'encoding');
$t->head('/api/jobs/1');
is(@{ observed() }, $n, 'what is not to be read is not shown');

# what is long is cut, between characters

my $long = '/api/jobs/' . '%C3%A4' x 50;
answer($long, '{"id":"' . "\xe4" x 50 . '","status":"running"}');
$t->get($long);
is(length observed()->[0]{path}, 128, 'path - cut');

my $id = 'x' . "\xe4" x 70;
answer('/api/jobs/l', qq({"id":"$id","status":"running"}));
$t->get('/api/jobs/l');
is(observed()->[0]{execution}, 'x' . "\xe4" x 63, 'execution - cut');

# a client that leaves before the answer, and one that nginx leaves

$up->set('/api/left/1' => { hold => 1 }, '/api/left/2' => { hold => 1 });

my $client = $t->connect();
$client->send_request('GET', '/api/left/1');
ok(wait_for { $up->stats->{held} == 1 }, 'the answer is held');
$client->close();
left('/api/left/1', 499, 'left');

$client = $t->connect();
$client->send_request('GET', '/api/left/2');
ok(wait_for { $up->stats->{held} == 2 }, 'the answer is held');
ok($t->reload(), 'a reload that does not wait');
left('/api/left/2', undef, 'cut off');

# of many those with an event first

answer('/api/jobs', '{"jobs":[{"id":"a"},{"id":"b"},{"id":"c1"},'
	. join(',', map { qq({"id":"many-$_"}) } 1 .. 30) . ',{}]}');
$t->post('/api/jobs', '{}');

my $many = observed()->[0];
is($many->{count}, 33, 'many - count');
is($many->{events}, 31, 'many - events');
is(join(' ', @{ $many->{executions} }), 'c1 '
	. join(' ', map { "many-$_" } 1 .. 16), 'many - those there is room for');

answer('/api/jobs', '{"jobs":[{"id":"a"},{"id":"b"},{"id":"z"}]}');
$t->post('/api/jobs', '{}');
is(join(' ', @{ observed()->[0]{executions} }), 'z a b', 'many - all');

answer('/api/jobs', '{"jobs":[{"id":"a"},{"id":"' . 'y' x 200 . '"}]}');
$t->post('/api/jobs', '{}');
is(join(' ', @{ observed()->[0]{executions} }), 'y' x 128,
	'many - a long one');

# executions of a route and of what reads its answers once more

sub built {
	my ($build, $jobs, $expected, $test) = @_;

	answer('/api/build', qq({"id":"m1","status":"$build","jobs":[)
		. join(',', map { qq({"id":"$_","status":"$jobs"}) } 'm2', 'y' x 130)
		. ']}');
	$t->get('/api/build');

	my $o = observed()->[0];
	is(join(' ', $o->{reason}, $o->{events} || 0, $o->{count}, @{
		$o->{executions} }), $expected, "also - $test");
}

built('queued', 'queued', 'events 3 3 m1 m2', 'both');
built('queued', 'running', 'events 2 3 m2', 'what there was an event of');
built('running', 'running', 'events 1 3 m1 m2', 'the first alone');
built('running', 'running', 'unchanged 0 3 m1 m2', 'nothing');

###############################################################################

# a filter, pages

is(@{ observed('reason=no+route') }, 1, 'reason');
is(observed('reason=No%20ID')->[0]{reason}, 'no id', 'reason - case');
is(@{ observed('reason=refused') }, 0, 'reason - none');

my @all = @{ observed('limit=100') };
my @pages;
my $next = '';

do {
	my $page = $t->get("/status/observed?limit=4&after=$next")->json;
	push @pages, @{ $page->{observed} };
	$next = $page->{next};
} while ($next);

is_deeply(\@pages, \@all, 'pages');
is($t->get('/status/observed?limit=100')->json->{next}, undef, 'no more');
is($t->get('/status/observed?limit=' . @all)->json->{next}, undef,
	'no more - exact');

for ('reason=x', 'limit=0', 'limit=101', 'limit=x', 'after=x', 'after=0',
	'other=1', 'reason=events&reason=events', 'reason=%zz')
{
	is($t->get("/status/observed?$_")->status, 400, "bad - $_");
}

is($t->post('/status/observed', '')->status, 405, 'method');

###############################################################################

# a storm of polls does not drive the rest out; some are noted each second

answer('/api/jobs/b', '{"id":"b","status":"running"}');

my $start = time();
$t->get('/api/jobs/b') for 1 .. 200;
my $seconds = time() - $start;

cmp_ok(@{ observed('reason=unchanged&limit=100') }, '<', 15 + 3 * $seconds,
	'few of a storm');
is(observed('reason=too+large')->[0]{reason}, 'too large', 'the rest stays');

my ($counted) = $t->get('/status/metrics')->body
	=~ /observations_total\{reason="unchanged"\} (\d+)/;
cmp_ok($counted, '>=', 200, 'all are counted');

# the ring goes round

for (1 .. 100) {
	answer("/api/jobs/r$_", '<html>');
	$t->get("/api/jobs/r$_");
}

my $ring = observed('limit=100');
is(@$ring, 32, 'as many as a small zone has room for')
	or diag(scalar @$ring);

###############################################################################

# it outlives workers and reloads

$t->kill_worker('KILL');
$t->wait_workers();
is(@{ observed('limit=100') }, 32, 'after a worker died');

ok($t->reload(), 'reload');
is(@{ observed('limit=100') }, 32, 'after a reload');

$t->done();

###############################################################################

sub answer {
	my ($path, $body) = @_;

	$up->set($path => { body => $body,
		headers => { 'Content-Type' => 'application/json' } });
}

sub reason {
	my ($path, $body, $reason) = @_;

	answer($path, $body);
	$t->get($path);

	is(observed()->[0]{reason}, $reason, "$reason - $path");
}

sub left {
	my ($path, $status, $name) = @_;

	my $last;

	ok(wait_for {
		$last = observed()->[0];
		return $last->{path} eq $path;
	}, "$name - seen");

	is($last->{reason}, 'aborted', "$name - aborted");
	is($last->{status}, $status, "$name - status");
}

sub observed {
	my ($args) = @_;

	return $t->get('/status/observed' . ($args ? "?$args" : ''))
		->json->{observed};
}

###############################################################################
