#!/usr/bin/perl

# Deliveries, from responses to receivers that refuse, hang, redirect, vanish
# and come back: attempts, their order, what waits and what gives way, and that
# no cap is ever exceeded, whichever worker saw the event.

###############################################################################

use warnings;
use strict;

use List::Util qw/ max min uniq /;
use Test::More;
use Time::Local;

use WebhookTest;

###############################################################################

# webhook => its settings; the path of its receiver and the location in which
# its executions are seen have its name

my %hooks = (
	retried => 'retry 100ms 100ms 1200ms;',
	refused => 'retry 50ms 50ms 50ms 50ms 50ms 50ms;',
	moved => 'retry off;',
	gone => 'retry 1h;',
	held => 'retry 1h;',
	slow => 'retry 100ms; timeout 400ms;',
	down => 'url %%URL_down%%/down; retry' . ' 200ms' x 20 . ';',
	stale => 'url %%URL_stale%%/stale; retry off;',
	broken => 'retry 1h; max_in_flight 1;',
	capped => 'url %%URL_cap%%/capped; max_in_flight 7;',
	rated => 'rate 10r/s;',
	ordered => 'retry 1h;',
	merged => 'retry 1h;',
	full => 'queue 3; max_in_flight 1;',
	oldest => 'queue 3 overflow=oldest; max_in_flight 1;'
		. 'events STARTED FINISHED;',
	late => 'retry 100ms 100ms 100ms 1h; expire 1s;',
);

my @both = (qw/ one two /, 3 .. 10);

my $t = WebhookTest->new(workers => 3);
my $up = $t->upstream('up');
my $cap = $t->receiver('cap', rules => { '*' => { hold => 1 } });
my $down = $t->receiver('down');
my $stale = $t->receiver('stale', rules => { '/stale' => [
	{ status => 204, then => 'next' }, { status => 204 } ] });
my $r = $t->receiver('r', rules => {
	'/retried' => { status => 500 },
	'/refused' => { status => 400 },
	'/gone' => { status => 410 },
	'/held' => [ { status => 503, headers => { 'Retry-After' => 1 } },
		{ status => 204 } ],
	'/slow' => [ { drop => 'hang' }, { status => 204 } ],
	'/broken' => { status => 500 },
	'/ordered' => [ { hold => 1 }, { status => 204 } ],
	'/merged' => [ { hold => 1 }, { status => 204 } ],
	'/full' => [ { hold => 1 }, { status => 204 } ],
	'/oldest' => [ { hold => 1 }, { status => 204 } ],
	'/late' => { status => 500 },
	'/both' => { status => 500 },
	'/moved' => [ map { { status => $_, headers => {
		Location => '/elsewhere' } } } 301, 302, 303, 307, 308 ],
});

configure();

sub configure {
	my $locations = '';

	for my $name (sort keys %hooks) {
		my $url = $hooks{$name} =~ /\burl / ? ''
			: "url %%URL_r%%/$name;";

		$locations .= "location /$name {\n"
			. "webhook $name { $url $hooks{$name} }\n"
			. ($name eq 'capped' ? 'proxy_pass %%URL_up%%;'
			: q(return 200 '{"id":"$arg_id","status":"$arg_s",)
				. q("progress":"$arg_p"}';)) . "}\n";
	}

	$locations .= "location /both {\n"
		. join('', map { "webhook $_ { url %%URL_r%%/both; queue 1;"
			. " max_in_flight 1; retry 1h; }\n" } @both)
		. q(return 200 '{"id":"$arg_id","status":"$arg_s"}';) . "}\n";

	$t->http_config(<<"EOF");

webhook_api test {
    execution "";
    id /id;
    state /status;
    states LAUNCHED waiting;
    states STARTED running;
    states FINISHED done;
    updated /progress;

    route POST /* { launch; }
    route GET /capped/* { each /items/*; }
    route GET /* { }
}

webhook_defaults { events EXECUTION; }

server {
    listen 127.0.0.1:%%PORT_0%%;
    webhook_observe test realm=\$uri;
    proxy_ignore_client_abort on;

    $locations

    location /status/ {
        access_log off;
        webhook_status write=on;
    }
}

EOF
}

$t->run();

###############################################################################

# the breaker opens after five failures in a row; the probe comes while all
# else goes on

see('broken', "b$_", 'running') for 1 .. 8;

ok(wait_for { hook('broken')->{state} eq 'probing' }, 'breaker - opens');
is($r->requests('/broken'), 5, 'breaker - after five failures');
is(hook('broken')->{failures}, 5, 'breaker - counted');
ok($t->wait_log(qr/\[warn\].* webhook "broken": 5 attempts in a row have /
	. qr/failed, the last by 500; one is made at a time until one succeeds$/),
	'breaker - said');

$r->set('/broken' => { status => 204 });

# every attempt fails: the schedule, then an end

see('retried', 'a', 'running');

my $d = ended('retried');
my @q = $r->requests('/retried');

is($d->{status}, 'failed', 'retried - failed in the end');
is($d->{attempts}, 4, 'retried - as often as the schedule has it');
ok($t->wait_log(qr/\[error\].* webhook "retried": a delivery has failed, its /
	. qr/last attempt by 500$/), 'retried - said');
is(@q, 4, 'retried - so many requests');
is(join(' ', map { $_->header('X-Webhook-Attempt') } @q), '1 2 3 4',
	'retried - attempts are numbered');
is(uniq(map { $_->body } @q), 1, 'retried - one body');

for my $header (qw/ X-Webhook-Delivery webhook-id X-Webhook-Time
	X-Webhook-Sequence X-Webhook-Event /)
{
	is(uniq(map { $_->header($header) } @q), 1,
		"retried - one $header");
}

is($q[0]->header('webhook-id'), $d->{uuid}, 'retried - that of the log');

for my $n (0 .. 3) {
	my $away = abs($q[$n]->time - $q[$n]->header('webhook-timestamp'));
	cmp_ok($away, '<', 1.5, "retried - timestamp of attempt $n");
}

cmp_ok($q[3]->header('webhook-timestamp'), '>',
	$q[0]->header('webhook-timestamp'), 'retried - timestamps go on');

cmp_ok($q[1]->time - $q[0]->time, '>', 0.07, 'retried - first wait');
cmp_ok($q[2]->time - $q[1]->time, '>', 0.07, 'retried - second wait');
cmp_ok($q[3]->time - $q[2]->time, '>', 0.95, 'retried - third wait');

my $whole = $t->get("/status/deliveries/$d->{uuid}")->json;

is(join(' ', map { $_->{code} } @{ $whole->{attempts} }), '500 500 500 500',
	'retried - the log has all attempts');

# a receiver that refuses, but answers, opens no breaker

see('refused', 'a', 'running');

is(ended('refused')->{attempts}, 7, 'refused - all attempts');
is(hook('refused')->{state}, 'ok', 'refused - no breaker');

# redirects

for my $n (1 .. 5) {
	see('moved', "m$n", 'running');
	$r->wait_requests($n, undef, '/moved');
}

ok(wait_for { hook('moved')->{failed} == 5 }, 'moved - failed');
is($r->requests('/elsewhere'), 0, 'moved - not followed');
is(join(' ', sort map { $_->{code} } deliveries('moved')),
	'301 302 303 307 308', 'moved - codes');

# Retry-After

see('held', 'a', 'running');
ok(wait_for { hook('held')->{attempts} == 1 }, 'held - first attempt');
see('held', 'b', 'running');

my $hold = hook('held');
is($hold->{waiting}, 2, 'held - both wait');

@q = $r->wait_requests(3, undef, '/held');

is(@q, 3, 'held - goes on');
cmp_ok(min(map { $_->time } @q[1, 2]) - $q[0]->time, '>=', 0.98,
	'held - the whole webhook, as long as it was told');
is(join(' ', map { $_->header('X-Webhook-Attempt') } @q), '1 1 1',
	'held - no attempt was used up');
is(ended('held', 'a')->{status}, 'delivered', 'held - delivered');

# an attempt that hangs

see('slow', 'a', 'running');

$d = ended('slow');
is($d->{status}, 'delivered', 'slow - delivered');

$whole = $t->get("/status/deliveries/$d->{uuid}")->json;

is($whole->{attempts}[0]{error}, 'timeout', 'slow - timeout');
cmp_ok($whole->{attempts}[0]{phases}{total}, '>=', 390, 'slow - all of it');
cmp_ok($whole->{attempts}[0]{phases}{total}, '<', 3000, 'slow - not more');
is($whole->{attempts}[1]{code}, 204, 'slow - the next one');

# nobody listens, then somebody does

$down->stop();
see('down', 'a', 'running');

ok(wait_for { ($d) = deliveries('down'); $d && $d->{attempts} },
	'down - an attempt');

$whole = $t->get("/status/deliveries/$d->{uuid}")->json;
is($whole->{attempts}[0]{error}, 'connect', 'down - could not connect');
is($whole->{response}, undef, 'down - no response');

$down->start();

is(ended('down')->{status}, 'delivered', 'down - delivered');
is(($down->requests())[0]->header('X-Webhook-Delivery'), $d->{uuid},
	'down - the same delivery');
cmp_ok(($down->requests())[0]->header('X-Webhook-Attempt'), '>', 1,
	'down - a later attempt');

# a kept connection that breaks before a byte of answer

see('stale', 'a', 'running');
is(ended('stale', 'a')->{status}, 'delivered', 'stale - the first');
see('stale', 'b', 'running');

$d = ended('stale', 'b');

is($stale->events('dropped'), 1, 'stale - the connection broke');
is($d->{status}, 'delivered', 'stale - tried again at once');
is($d->{attempts}, 1, 'stale - as the same attempt');
is(($stale->requests('/stale'))[-1]->header('X-Webhook-Attempt'), 1,
	'stale - so it is sent');

# max_in_flight: many at once, seen by all workers

for my $n (0 .. 4) {
	$up->set("/capped/$n" => { json => { items => [ map { {
		id => "c$_", status => 'running',
	} } $n * 40 + 1 .. $n * 40 + 40 ] } });
}

is($t->see('GET', "/capped/$_")->status, 200, "capped - response $_")
	for 0 .. 4;

ok(wait_for { $cap->stats->{held} == 7 }, 'capped - as many as may');
is(hook('capped')->{in_flight}, 7, 'capped - in flight');
is(hook('capped')->{waiting}, 193, 'capped - the rest waits');

my $released = 0;

wait_for {
	$released += $cap->release(3);
	return $released >= 200;
} 30;

is($released, 200, 'capped - all came');
is($cap->stats->{max_in_flight}, 7, 'capped - never more at once');
is(uniq(map { $_->header('X-Webhook-Delivery') } $cap->requests()), 200,
	'capped - each once');
ok(wait_for { hook('capped')->{delivered} == 200 }, 'capped - delivered');

# rate

see('rated', "r$_", 'running') for 1 .. 12;

is($r->wait_requests(12, 20, '/rated'), 12, 'rated - all came');
ok((wait_for { hook('rated')->{delivered} == 12 } 20), 'rated - delivered');

# by the module's own times: a receiver may see some late

my @times = sort { $a <=> $b } map { started($_->{uuid}, 0) }
	deliveries('rated');

cmp_ok(min(map { $times[$_ + 5] - $times[$_] } 0 .. 6), '>', 0.45,
	'rated - never faster');

# an execution's next event waits for the first attempt of the one before

launch('ordered', 'a');
ok($r->wait_requests(1, undef, '/ordered'), 'ordered - LAUNCHED');

see('ordered', 'a', 'running');
launch('ordered', 'b');

@q = $r->wait_requests(2, undef, '/ordered');
is(seen($q[1]), 'LAUNCHED b', 'ordered - another execution goes on');

ok(wait_for { hook('ordered')->{delivered} == 1 }, 'ordered - and ends');
is(hook('ordered')->{waiting}, 1, 'ordered - STARTED waits');
is($r->requests('/ordered'), 2, 'ordered - and is not sent');

$r->release(undef, status => 500);

@q = $r->wait_requests(3, undef, '/ordered');
is(seen($q[2]), 'STARTED a', 'ordered - STARTED, though LAUNCHED failed');

($d) = grep { $_->{execution} eq 'a' && $_->{event} eq 'LAUNCHED' }
	deliveries('ordered');
is($d->{status}, 'waiting', 'ordered - LAUNCHED waits for its next attempt');

# what waits and was never tried is replaced by what follows

launch('merged', 'a');
$r->wait_requests(1, undef, '/merged');
see('merged', 'a', 'running', $_) for 1 .. 5;
is(hook('merged')->{waiting}, 2, 'merged - STARTED and one UPDATED');

$r->release();
@q = $r->wait_requests(3, undef, '/merged');

is(join(', ', map { seen($_) } @q), 'LAUNCHED a, STARTED a, UPDATED a',
	'merged - the latest UPDATED');
is($q[1]->json->{execution}{progress}, 1, 'merged - STARTED as it was');
is($q[2]->json->{execution}{progress}, 5, 'merged - UPDATED, the latest');
is(join(' ', map { $_->header('X-Webhook-Sequence') } @q), '1 2 6',
	'merged - sequence of events');
is(hook('merged')->{superseded}, 3, 'merged - counted');

$r->set('/merged' => [ { hold => 1 }, { status => 204 } ]);

launch('merged', 'b');
$r->wait_requests(4, undef, '/merged');
see('merged', 'b', 'running', 1);
see('merged', 'b', 'running', 2);
see('merged', 'b', 'done', 3);
$r->release();
@q = $r->wait_requests(6, undef, '/merged');

is(join(', ', map { seen($_) } @q[3 .. 5]),
	'LAUNCHED b, STARTED b, FINISHED b', 'merged - FINISHED replaces it');
is(hook('merged')->{superseded}, 4, 'merged - counted again');
is(join(' ', sort map { $_->{execution} } grep {
	$_->{status} eq 'superseded' } deliveries('merged')), 'a a a b',
	'merged - shown');

# a queue that is full

$t->mark_log();
see('full', 'f1', 'running');
$r->wait_requests(1, undef, '/full');
see('full', "f$_", 'running') for 2 .. 7;

is(hook('full')->{waiting}, 3, 'full - three wait');
is(hook('full')->{dropped}, 3, 'full - the others are dropped');
ok($t->wait_log(qr/\[(?:warn|error)\].*webhook "full".*dropped/),
	'full - said in the log');
cmp_ok(scalar $t->grep_log(qr/webhook "full".*dropped/), '<', 3,
	'full - not for each');

$r->release();
@q = $r->wait_requests(4, undef, '/full');

ok(wait_for { hook('full')->{delivered} == 4 }, 'full - delivered');
is(join(' ', map { $_->json->{execution}{id} } $r->requests('/full')),
	'f1 f2 f3 f4', 'full - the oldest');

see('full', 'f8', 'running');
ok($r->wait_request(sub { seen($_[0]) eq 'STARTED f8' }),
	'full - and goes on');

see('oldest', 'x1', 'running');
$r->wait_requests(1, undef, '/oldest');
see('oldest', 'x2', 'running');
see('oldest', 'x2', 'done');
see('oldest', "x$_", 'running') for 3 .. 6;

is(hook('oldest')->{waiting}, 3, 'oldest - three wait');
is(hook('oldest')->{dropped}, 3, 'oldest - three dropped');
is(join(' ', sort map { $_->{execution} } grep { $_->{status} eq 'dropped' }
	deliveries('oldest')), 'x2 x3 x4', 'oldest - these');

$r->release();
@q = $r->wait_requests(4, undef, '/oldest');

is(join(', ', map { seen($_) } @q),
	'STARTED x1, FINISHED x2, STARTED x5, STARTED x6',
	'oldest - FINISHED is spared');

# nor does FINISHED give way to what comes after it

$r->set('/oldest' => [ { hold => 1 }, { status => 204 } ]);
see('oldest', 'y0', 'running');
$r->wait_requests(5, undef, '/oldest');

for (1 .. 3) {
	see('oldest', "y$_", 'running');
	see('oldest', "y$_", 'done');
}

my $dropped = hook('oldest')->{dropped};

see('oldest', 'y4', 'running');

is(hook('oldest')->{waiting}, 3, 'oldest - three wait again');
is(hook('oldest')->{dropped}, $dropped + 1, 'oldest - one more is dropped');

is(finished('dropped'), '', 'oldest - no FINISHED');

see('oldest', 'y4', 'done');

is(finished('dropped'), 'y1', 'oldest - a FINISHED for another alone');

my $ping = act('oldest', 'ping');

is($ping->status, 503, 'oldest - nor for a ping');
like($ping->json->{detail}, qr/the queue of this webhook is full/,
	'oldest - as who pings is told');
is(hook('oldest')->{dropped}, $dropped + 3, 'oldest - the ping is dropped');

$r->release();
@q = $r->wait_requests(8, undef, '/oldest');

is(join(', ', map { seen($_) } @q[5 .. 7]),
	'FINISHED y2, FINISHED y3, FINISHED y4', 'oldest - those are sent');

# what waits for too long

see('late', 'a', 'running');

$d = ended('late');
is($d->{status}, 'expired', 'late - given up');
cmp_ok($d->{attempts}, '>', 1, 'late - after some attempts');
ok($t->wait_log(qr/\[error\].* webhook "late": a delivery has expired as it /
	. qr/waited, 1 have so far$/), 'late - said');

# queues that are full at one time: each is said of, not only the first, and no
# more than eight at once

see('both', 'b1', 'running');
ok(wait_for { !grep { hook($_)->{attempts} == 0 } @both },
	'both - all are full');
see('both', "b$_", 'running') for 2 .. 4;

for my $name (@both) {
	ok($t->wait_log(qr/\[error\].* webhook "$name": the queue of 1 is full, /),
		"both - $name is said to be full");
	cmp_ok(hook($name)->{dropped}, '>', 1, "both - $name drops");
}

cmp_ok(scalar $t->grep_log(qr/ webhook "two": the queue of 1 is full/), '<', 3,
	'both - not with each drop');
ok($t->wait_log(qr/\[error\].* of other webhooks are dropped, too/),
	'both - there are others');

# 410: disabled, until its url changes

see('gone', 'a', 'running');
ok(wait_for { hook('gone')->{state} eq 'gone' }, 'gone - disabled');
ok($t->wait_log(qr/\[error\].* webhook "gone" is disabled: it answered 410$/),
	'gone - said');

see('gone', 'b', 'running');
see('full', 'f9', 'running');
ok($r->wait_request(sub { seen($_[0]) eq 'STARTED f9' }),
	'gone - others go on');
is(hook('gone')->{waiting}, 2, 'gone - both wait');
is($r->requests('/gone'), 1, 'gone - nothing more is sent');

$hooks{gone} .= 'url %%URL_r%%/new;';
configure();
ok($t->reload(), 'gone - another url');

@q = $r->wait_requests(2, undef, '/new');

is(join(' ', sort map { $_->json->{execution}{id} } @q), 'a b',
	'gone - all of it comes there');
is(hook('gone')->{state}, 'ok', 'gone - enabled');

# what was under way when the url changed says nothing of the new one

$r->set('/moving' => { hold => 1 });
$hooks{moving} = 'retry 1h; url %%URL_r%%/moving;';
configure();
ok($t->reload(), 'moving - a new webhook');

see('moving', 'a', 'running');
$r->wait_requests(1, undef, '/moving');

$hooks{moving} = 'retry 1h; url %%URL_r%%/there;';
configure();
ok($t->reload(), 'moving - another url');
is($r->release(undef, status => 410), 1, 'moving - gone, says the old one');

@q = $r->wait_requests(1, undef, '/there');
is(@q && seen($q[0]), 'STARTED a', 'moving - sent to the new one');
ok(wait_for { hook('moving')->{delivered} == 1 }, 'moving - delivered');
is(hook('moving')->{state}, 'ok', 'moving - it is not gone');

# paused, until somebody resumes it, whatever becomes of its url

act('moving', 'pause');
see('moving', 'b', 'running');

$hooks{moving} = 'retry 1h; url %%URL_r%%/onward;';
configure();
ok($t->reload(), 'paused - another url');
is(hook('moving')->{state}, 'paused', 'paused - all the same');

see('full', 'f10', 'running');
ok($r->wait_request(sub { seen($_[0]) eq 'STARTED f10' }),
	'paused - others go on');
is(hook('moving')->{waiting}, 1, 'paused - it waits');
is(hook('moving')->{next_attempt}, undef, 'paused - no next attempt');
is(join(' ', map { defined $_->{next_attempt} ? 'has a time' : $_->{status} }
	grep { $_->{execution} eq 'b' } deliveries('moving')), 'waiting',
	'paused - nor one of the delivery');

act('moving', 'resume');
@q = $r->wait_requests(1, undef, '/onward');
is(@q && seen($q[0]), 'STARTED b', 'paused - sent after that');

# the breaker, again: a probe with the oldest, then all the others

@q = $r->wait_requests(13, 20, '/broken');

is(join(' ', map { $_->json->{execution}{id} } @q),
	'b1 b2 b3 b4 b5 b1 b2 b3 b4 b5 b6 b7 b8',
	'breaker - the oldest first, then all that waits');
cmp_ok(started($q[5]->header('X-Webhook-Delivery'), 1)
	- started($q[4]->header('X-Webhook-Delivery'), 0), '>', 4.8,
	'breaker - after 5 seconds');
cmp_ok($q[12]->time - $q[5]->time, '<', 4, 'breaker - the others at once');
is(join(' ', map { $_->header('X-Webhook-Attempt') } @q[10 .. 12]), '1 1 1',
	'breaker - no attempt of others was used up');
ok(wait_for { hook('broken')->{delivered} == 8 }, 'breaker - delivered');
is(hook('broken')->{state}, 'ok', 'breaker - closed');
like($t->error_log(),
	qr/\[notice\].* webhook "broken": an attempt has succeeded again$/m,
	'breaker - said');

$t->done();

###############################################################################

# a client sees an execution in the location of a webhook

sub see {
	my ($name, $id, $status, $progress) = @_;

	return $t->see('GET', "/$name?id=$id&s=$status&p="
		. ($progress // ''));
}

sub launch {
	my ($name, $id) = @_;

	return $t->see('POST', "/$name?id=$id&s=waiting");
}

sub hook {
	my ($name) = @_;

	return $t->get("/status/hooks/$name")->json;
}

sub act {
	my ($name, $action) = @_;

	return $t->post("/status/hooks/$name/$action", '',
		headers => [ 'X-Webhook-Write' => 1 ]);
}

sub finished {
	my ($status) = @_;

	return join ' ', map { $_->{execution} } grep {
		$_->{status} eq $status && $_->{event} eq 'FINISHED'
	} deliveries('oldest');
}

sub deliveries {
	my ($name) = @_;

	return @{ $t->get("/status/deliveries?hook=$name&limit=100")
		->json->{deliveries} };
}

# when an attempt began, as the module says; seconds

sub started {
	my ($uuid, $n) = @_;

	my $d = $t->get("/status/deliveries/$uuid")->json;
	my ($y, $m, $day, $h, $min, $s) = $d->{attempts}[$n]{started}
		=~ /^(\d+)-(\d+)-(\d+)T(\d+):(\d+):([\d.]+)Z$/;

	return timegm(0, $min, $h, $day, $m - 1, $y) + $s;
}

# the latest delivery of a webhook, once it has ended

sub ended {
	my ($name, $id) = @_;

	my $d;

	wait_for {
		($d) = grep { !defined $id || $_->{execution} eq $id }
			deliveries($name);
		return $d && $d->{status} !~ /waiting|sending/;
	} 20;

	return $d || {};
}

sub seen {
	my ($q) = @_;

	return $q->json->{event} . ' ' . $q->json->{execution}{id};
}

###############################################################################
