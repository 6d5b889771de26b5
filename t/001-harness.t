#!/usr/bin/perl

# The harness itself: nginx in front of the example API, receivers that do as
# they are told, and the checks that every test ends with.

###############################################################################

use warnings;
use strict;

use Test::More;

use WebhookTest;

###############################################################################

my $t = WebhookTest->new();
my $api = $t->example_api('api', token => 's3same');
my $up = $t->upstream('up');
my $r = $t->receiver('ci');

$t->http_config(<<'EOF');

server {
    listen 127.0.0.1:%%PORT_0%%;
    server_name localhost;

    location /api/ {
        proxy_pass %%URL_api%%;
    }

    location /hook {
        proxy_pass %%URL_ci%%;
    }

    location ~ ^/name/(.*) {
        resolver 127.0.0.1:%%PORT_dns%% valid=1s;
        resolver_timeout 1s;
        proxy_pass http://$1:%%PORT_ci%%/;
    }

    location / {
        proxy_pass %%URL_up%%;
        proxy_read_timeout 2s;
    }
}

EOF

$t->run();

my @workers = $t->worker_pids();
is(@workers, 2, 'workers');

###############################################################################

# the example API

my @auth = (headers => [ Authorization => 'Bearer s3same' ]);

is($t->get('/api/projects/4889')->status, 401, 'api - no token');

my $launch = $t->post('/api/goals/3001/execute', '', @auth);
is($launch->status, 200, 'api - launch');
is($launch->json->{item}{status}, 'QUEUED', 'api - queued');

my $id = $launch->json->{item}{id};
my @seen;

for (1 .. 5) {
	my $item = $t->get("/api/executions/$id/status", @auth)->json->{item};
	push @seen, "$item->{status} $item->{progress}";
}

is("@seen", 'QUEUED 0 RUNNING 0.1 RUNNING 0.5 RUNNING 0.9 FINISHED 1',
	'api - polls');

is($t->get("/api/jobs/$id/status?envelope=false&token=s3same")->json->{id},
	$id, 'api - no envelope');
is($t->get('/api/executions/1/status', @auth)->status, 404,
	'api - unknown execution');
is($t->get("/api/executions/$id", @auth)->json->{item}{launchedByUser}{email},
	'user@example.test', 'api - detail');
is($t->get('/api/goals/3001', @auth)->json->{item}{projectId}, 4889,
	'api - goal');
is(keys %{ $t->post('/api/plans/executions/7/execute', '', @auth)
	->json->{item}{jobs} }, 2, 'api - plan');
is($api->command(cmd => 'launch')->{status}, 'QUEUED', 'api - control');
is($api->requests('/api/goals/3001/execute'), 1, 'api - requests');

###############################################################################

# the receiver

is($t->post('/hook/one?a=b', qq({"x":"caf\xc3\xa9"}),
	headers => [ 'X-One' => 1, 'X-Two' => 2, 'X-One' => 3 ])->status, 204,
	'receiver - default');

my ($q) = $r->wait_requests(1);
is($q->method, 'POST', 'receiver - method');
is($q->path, '/hook/one', 'receiver - path');
is($q->query, 'a=b', 'receiver - query');
is($q->body, qq({"x":"caf\xc3\xa9"}), 'receiver - body');
is($q->json->{x}, "caf\xe9", 'receiver - json');
is(join(' ', $q->header('x-one')), '1 3', 'receiver - headers');

is($t->get('/hook?status=503')->status, 503, 'receiver - status by query');

$r->set('/hook/two' => [ { status => 500 }, { status => 429,
	headers => { 'Retry-After' => 7 } }, { status => 200, size => 20 } ]);

is($t->get('/hook/two')->status, 500, 'receiver - first');
is($t->get('/hook/two')->header('retry-after'), 7, 'receiver - second');
is($t->get('/hook/two')->body, '0123456789abcdef0123', 'receiver - third');
is($t->get('/hook/two')->status, 200, 'receiver - last again');

# keepalive, straight to the receiver

my $c = $t->connect($r->port);
is($c->request('POST', '/', body => 'a')->status, 204, 'keepalive');
is($c->request('POST', '/', headers => [ 'Transfer-Encoding' => 'chunked' ],
	body => "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")->status, 204, 'chunked');

my @last = ($r->requests())[-2, -1];
is($last[1]->body, 'abcde', 'chunked body');
is($last[0]->conn, $last[1]->conn, 'one connection');

$r->set('/next' => { then => 'next' }, '/stale' => { stale => 'true' },
	'/reset' => { drop => 'reset' }, '/close' => { drop => 'close' });

is($c->request('GET', '/next')->status, 200, 'next - answered');
is($c->request('GET', '/next'), undef, 'next - dropped');

$c = $t->connect($r->port);
is($c->request('GET', '/stale')->status, 200, 'stale - answered');
ok($c->closed(), 'stale - closed');

is($t->connect($r->port)->request('GET', '/reset'), undef, 'reset');
is($t->connect($r->port)->request('GET', '/close'), undef, 'close');

is($t->connect($r->port)->request('POST', '/continue', body => 'x',
	headers => [ Expect => '100-continue' ])->status, 204, 'continue');

$r->set('/refuse' => { continue => 'refuse' });
is($t->connect($r->port)->request('POST', '/refuse',
	headers => [ Expect => '100-continue', 'Content-Length' => 9 ])
	->status, 417, 'continue refused');

# held until told

$r->set('/hold' => { hold => 1 });

my @held = map { $t->connect($r->port) } 1 .. 3;
$_->send_request('GET', '/hold') for @held;

ok(wait_for { $r->stats()->{held} == 3 }, 'held');
is($r->stats()->{max_in_flight}, 3, 'in flight');
is($r->release(2), 2, 'released');
is($held[0]->read_response()->status, 200, 'released - first');
is($r->release(undef, status => 503), 1, 'released - the rest');
is($held[2]->read_response()->status, 503, 'released - otherwise');

# gone and back

$r->deafen();
is($t->get('/hook')->status, 502, 'deaf');
$r->listen();
is($t->get('/hook')->status, 204, 'listens');

###############################################################################

# an upstream, byte by byte

is($t->get('/what')->status, 404, 'upstream - default');

my $big = join ',', map { $_ * 7 } 1 .. 3000;

$up->set(
	'/chunked' => { json => { a => 1 }, chunked => 3 },
	'/drip' => { json => { a => 2 }, piece => 1, head => 1 },
	'/gzip' => { body => $big, gzip => 'true' },
	'/cut' => { body => 'x' x 100, truncate => 50 },
	'/rst' => { body => 'x' x 100, truncate => 50, then => 'reset' },
	'/raw' => { raw => "HTTP/1.0 200 OK\r\nA: b\r\n\r\nuntil the end",
		then => 'close' },
	'/hang' => { drop => 'hang' },
	'POST /method' => { status => 201 },
);

is($t->get('/chunked')->json->{a}, 1, 'upstream - chunked');
is($t->get('/drip')->json->{a}, 2, 'upstream - drip');
is($t->get('/gzip')->header('content-encoding'), 'gzip', 'upstream - gzip');
is($t->get('/raw')->body, 'until the end', 'upstream - raw');
ok(!$t->get('/cut')->complete, 'upstream - truncated');
ok(!$t->get('/rst')->complete, 'upstream - reset');
is($t->get('/hang')->status, 504, 'upstream - hang');
is($t->post('/method')->status, 201, 'upstream - method');
is($t->get('/method')->status, 404, 'upstream - other method');

# TLS, HTTP/2

my $cert = $t->cert('localhost');
my $tls = $t->receiver('tls', tls => $cert);
my $h2 = $t->receiver('h2', tls => $cert, http2 => 1);

is($t->curl('--cacert', $cert->{ca}, '-d', 'x=y', $tls->url('/a'))->status,
	204, 'tls');
is(($tls->requests())[0]->body, 'x=y', 'tls - recorded');
is($t->curl('--cacert', $cert->{ca}, '-d', 'x=y', $h2->url('/?status=202'))
	->status, 202, 'http2');
is(($h2->requests())[0]->proto, 'h2.0', 'http2 - recorded');

ok(!eval { $t->curl($tls->url('/')) }, 'tls - unknown authority');

# curl may say nothing about that to the peer, so this does

$t->get('/', port => 'tls');
ok(wait_for { scalar $tls->events('tlserror') }, 'tls - error recorded');

# a tunnel, a name server

my $proxy = $t->receiver('proxy', proxy => 1);

is($t->curl('-x', $proxy->url(), '--cacert', $cert->{ca}, $tls->url('/b'))
	->status, 204, 'proxy - tunnel');
is(($proxy->requests())[0]->method, 'CONNECT', 'proxy - recorded');

my $dns = $t->dns('dns', names => { 'a.test' => '127.0.0.1' });

is($t->get('/name/a.test')->status, 204, 'dns - found');
is($t->get('/name/b.test')->status, 502, 'dns - not found');
$dns->set('b.test' => [ '127.0.0.1', '::1' ], 'c.test' => 'silent');
is($t->get('/name/b.test')->status, 204, 'dns - set');
is($t->get('/name/c.test')->status, 502, 'dns - silent');
is(($dns->events('question'))[0]->{name}, 'a.test', 'dns - recorded');

###############################################################################

# nginx

my ($ok, $said) = $t->test_config('server { listen 127.0.0.1:%%PORT_1%%; }');
ok($ok, 'test - good');

($ok, $said) = $t->test_config("server { no_such_thing; }");
ok(!$ok, 'test - bad');
like($said, qr/unknown directive "no_such_thing" in .*test\.conf:\d+/,
	'test - says so');

ok($t->reload(), 'reload');

my %old = map { $_ => 1 } @workers;
my @new = $t->worker_pids();
is(grep({ $old{$_} } @new), 0, 'reload - new workers');
ok($t->wait_log(qr/gracefully shutting down/), 'reload - log');

write_file($t->dir . '/nginx.conf', 'rubbish;');
ok(!$t->reload(), 'reload refused');
like($t->reload_error, qr/unknown directive "rubbish"/, 'reload refused - why');
$t->allow(qr/unknown directive "rubbish"/);

my $killed = $t->kill_worker();
ok($t->wait_workers(), 'killed worker replaced');
ok(!grep({ $_ == $killed } $t->worker_pids()), 'another one');

is($t->get('/hook')->status, 204, 'still works');
like($t->access_log, qr!GET /hook HTTP/1.1" 204!, 'access log');
ok($t->quit(), 'quit');

$t->done();

###############################################################################
