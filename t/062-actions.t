#!/usr/bin/perl

# What people do at the status endpoint: pause and resume a webhook, deliver
# again what has ended, recover all that failed.

###############################################################################

use warnings;
use strict;

use Test::More;

use WebhookTest;

###############################################################################

my $t = WebhookTest->new(workers => 1);
my $up = $t->upstream('up');
my $r = $t->receiver('r');

$t->http_config(<<'EOF');

webhook_zone zone=webhooks:16m log=5000;

webhook_api jobs {
    id /id;
    execution "";
    state /status;
    states FINISHED done;

    route POST /api/jobs { launch; }
    route POST /api/many { launch; id /many; each /jobs/*; }
    route POST /api/few { launch; id /few; each /jobs/*; }
}

server {
    listen 127.0.0.1:%%PORT_0%%;
    server_name localhost;

    location /api/ {
        proxy_pass %%URL_up%%;
        proxy_ignore_client_abort on;
        webhook_observe jobs;

        webhook ci {
            url     %%URL_r%%/ci;
            events  LAUNCHED;
            match   /execution/id *;
            retry   off;
        }

        webhook slow {
            url     %%URL_r%%/slow;
            events  LAUNCHED;
            match   /execution/id *;
            retry   1h;
        }

        webhook many {
            url     %%URL_r%%/many;
            events  LAUNCHED;
            match   /execution/many *;
            retry   off;
        }

        webhook few {
            url     %%URL_r%%/few;
            events  LAUNCHED;
            match   /execution/few *;
            queue   10;
            retry   off;
        }
    }

    location /status/ {
        webhook_status write=on;
    }

    location /read/ {
        webhook_status;
    }
}

EOF

$t->run();

###############################################################################

# pause, resume

is(action('/hooks/ci/pause')->json->{state}, 'paused', 'paused');
is(action('/hooks/slow/pause')->json->{state}, 'paused', 'another, too');

launch("a$_") for 1 .. 3;

my $waiting = wait_for { hook('ci')->{waiting} == 3 };
ok($waiting, 'deliveries wait');
is($r->requests, 0, 'nothing is sent');

is(action('/hooks/ci/resume')->json->{state}, 'ok', 'resumed');

my @got = $r->wait_requests(3);
is(@got, 3, 'sent after that');
is(join(' ', map { $_->json->{execution}{id} } @got), 'a1 a2 a3', 'in order');
is(hook('slow')->{waiting}, 3, 'the other one still waits');

is(action('/hooks/none/pause')->status, 404, 'pause - unknown');
is(action('/hooks/none/resume')->status, 404, 'resume - unknown');
is(action('/hooks/ci/pause?a=b')->status, 400, 'pause - parameter');
is($t->get('/status/hooks/ci/pause')->status, 405, 'pause - method');
is(action('/hooks/ci/pause', '/read')->status, 403, 'pause - write=off');
is(hook('ci')->{state}, 'ok', 'pause - none of these');

###############################################################################

# deliver again

my $list = list('hook=ci&status=delivered&execution=a2');
is(@$list, 1, 'a delivery');

my $uuid = $list->[0]{uuid};
my $again = action("/deliveries/$uuid/redeliver");

is($again->status, 202, 'again');
is($again->json->{uuid}, $uuid, 'again - uuid');

@got = $r->wait_requests(4);
is($got[3]->header('X-Webhook-Delivery'), $uuid, 'again - received');
is($got[3]->header('X-Webhook-Attempt'), 2, 'again - a new attempt');
is($got[3]->body, $got[1]->body, 'again - the same payload');

my $done = wait_for { delivery($uuid)->{status} eq 'delivered' };
ok($done, 'again - delivered');
is(@{ delivery($uuid)->{attempts} }, 2, 'again - two attempts');

is(action('/deliveries/' . uc($uuid) . '/redeliver')->json->{uuid}, $uuid,
	'again - in upper case');
$done = wait_for { delivery($uuid)->{attempt_count} == 3
	&& delivery($uuid)->{status} eq 'delivered' };
ok($done, 'again - delivered, too');

my $open = list('hook=slow&status=waiting')->[0]{uuid};
is(action("/deliveries/$open/redeliver")->status, 409, 'again - waits');
is(action('/deliveries/01234567-89ab-8def-8123-456789abcdef/redeliver')
	->status, 404, 'again - unknown');
is(action('/deliveries/nonsense/redeliver')->status, 404, 'again - no uuid');

###############################################################################

# recover

$r->set('/ci' => { status => 400 });

my $before = time();
launch("b$_") for 1 .. 20;

my $failed = wait_for { hook('ci')->{failed} == 20 };
ok($failed, 'failed');

$r->set('/ci' => { status => 204 });
my $received = $r->requests;

is(action('/hooks/ci/recover?since=2199-01-01')->json->{count}, 0,
	'recover - none that late');

for my $parameter (qw/ limit=50 limit=5 hook=ci status=failed a=b /) {
	my $answer = action("/hooks/ci/recover?$parameter");
	my ($name) = split /=/, $parameter;

	is($answer->status, 400, "recover - $parameter");
	is($answer->json->{parameter}, $name, "recover - $parameter, named");
}

is(action('/hooks/ci/recover?since=x')->json->{parameter}, 'since',
	'recover - bad time');
is(action('/hooks/none/recover')->status, 404, 'recover - unknown');

my $recover = action('/hooks/ci/recover?since=' . ($before * 1000));
is($recover->status, 202, 'recover');
is_deeply($recover->json, { count => 20, more => JSON::PP::false },
	'recover - all that failed');

my @all = $r->wait_requests($received + 20);
my %ids = map { $_->header('X-Webhook-Delivery') => 1 }
	@all[$received .. $#all];
is(keys %ids, 20, 'recover - each once');

my $recovered = wait_for { hook('ci')->{waiting} + hook('ci')->{in_flight}
	== 0 };
ok($recovered, 'recover - delivered');
is(action('/hooks/ci/recover')->json->{count}, 0, 'recover - nothing left');
is(@{ list('hook=ci&status=failed') }, 0, 'recover - none failed');

###############################################################################

# recover thousands: in steps, between which the worker does other things

$r->set('/many' => { status => 400 });
several('many', 1000, $_) for 1 .. 3;

$failed = wait_for { hook('many')->{failed} == 3000 } 30;
ok($failed, 'thousands - failed');

action('/hooks/many/pause');

# the client may leave, all the same

my $c = $t->connect();
$c->send_request('POST', '/status/hooks/many/recover', body => '',
	headers => [ 'X-Webhook-Write' => 1 ]);
$c->close();

$recovered = wait_for { hook('many')->{waiting} == 3000 };
ok($recovered, 'thousands - the client left');

action('/hooks/many/resume');
$failed = wait_for { hook('many')->{failed} == 6000 } 30;
ok($failed, 'thousands - failed again');

action('/hooks/many/pause');

my @c = map { $t->connect() } 1, 2;
my $worker = ($t->worker_pids())[0];

kill 'STOP', $worker;
$c[0]->send_request('POST', '/status/hooks/many/recover', body => '',
	headers => [ 'X-Webhook-Write' => 1 ]);
$c[1]->send_request('GET', '/status/hooks/many');
kill 'CONT', $worker;

my $meanwhile = $c[1]->read_response()->json;
cmp_ok($meanwhile->{waiting}, '<', 1000, 'thousands - others are served');

$recover = $c[0]->read_response();
is($recover->status, 202, 'thousands - recover');
is($recover->json->{count}, 3000, 'thousands - all that failed');
is(hook('many')->{waiting}, 3000, 'thousands - wait');

$r->set('/many' => { status => 204 });
$received = $r->requests('/many');
action('/hooks/many/resume');

@all = $r->wait_requests($received + 3000, 30, '/many');
%ids = map { $_->header('X-Webhook-Delivery') => 1 } @all[$received .. $#all];
is(keys %ids, 3000, 'thousands - each once');

my @order = map { $_->json->{execution}{many} } @all[$received .. $received
	+ 1000];
cmp_ok($order[1000], '<', 1500, 'thousands - oldest first');

# a queue is not filled beyond what may wait, nor new events turned away

$r->set('/few' => { status => 400 });

for my $n (1 .. 3) {
	several('few', 5, 1000 + $n);
	$failed = wait_for { hook('few')->{failed} == 5 * $n };
	ok($failed, "few - failed, $n");
}

action('/hooks/few/pause');

my $part = action('/hooks/few/recover');
is_deeply($part->json, { count => 10, more => JSON::PP::true },
	'few - as many as may wait');
is_deeply(action('/hooks/few/recover')->json,
	{ count => 0, more => JSON::PP::true }, 'few - no room');

$r->set('/few' => { status => 204 });
action('/hooks/few/resume');
$recovered = wait_for { hook('few')->{delivered} == 10 };
ok($recovered, 'few - delivered');
is_deeply(action('/hooks/few/recover')->json,
	{ count => 5, more => JSON::PP::false }, 'few - the rest');
$recovered = wait_for { hook('few')->{delivered} == 15 };
ok($recovered, 'few - all of them');

$t->done();

###############################################################################

sub launch {
	my ($id) = @_;

	$up->set('/api/jobs' => { json => { id => $id, status => 'new' } });

	return $t->post('/api/jobs', '{}');
}

# an answer with n executions, the k-th of its kind

sub several {
	my ($kind, $n, $k) = @_;

	$up->set("/api/$kind" => { json => { jobs => [
		map { { $kind => ($k - 1) * $n + $_ } } 1 .. $n ] } });

	return $t->post("/api/$kind", '{}');
}

sub action {
	my ($path, $prefix) = @_;

	return $t->post(($prefix || '/status') . $path, '',
		headers => [ 'X-Webhook-Write' => 1 ]);
}

sub hook { $t->get("/status/hooks/$_[0]")->json }
sub list { $t->get("/status/deliveries?$_[0]")->json->{deliveries} }
sub delivery { $t->get("/status/deliveries/$_[0]")->json }

###############################################################################
