#!/usr/bin/perl

# The life of workers: whichever of them sees an event and whichever sends it,
# killed, replaced by a reload, told to go at once or in peace, or alone without
# a master, nothing that was queued is lost, and nothing is sent that need not
# be.

###############################################################################

use warnings;
use strict;

use List::Util qw/ uniq /;
use Test::More;
use Time::HiRes qw/ time /;

use WebhookTest;

###############################################################################

my $zone = '4m';
my %hooks;
my ($t, $r, $m);

sub configure {
	my (%o) = @_;

	my $locations = '';

	for my $name (sort keys %hooks) {
		$locations .= "location /$name {\n"
			. "webhook $name { url " . ($name eq 'many'
				? '%%URL_m%%' : '%%URL_r%%')
			. "/$name; $hooks{$name} }\n"
			. q(return 200 '{"id":"$arg_id","status":"$arg_s"}';)
			. "}\n";
	}

	$t->http_config(<<"EOF", %o);

webhook_zone zone=webhooks:$zone;

webhook_api test {
    id /id;
    state /status;
    states STARTED running;
    states FINISHED done;

    route GET /* { }
}

log_format pid '\$pid \$request_uri \$status';
access_log %%TESTDIR%%/access.log pid;

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

sub begin {
	my (%o) = @_;

	my $main = delete $o{main} || '';
	my $rules = delete $o{rules} || {};

	$t = WebhookTest->new(%o);
	$r = $t->receiver('r', rules => $rules);
	$m = $t->receiver('m', rules => { '/many' => [
		(map { { hold => 1 } } 1 .. 4), { status => 204 } ] })
		if $hooks{many};
	configure(main => $main);

	return $t->run();
}

sub see {
	my ($name, $id, $status) = @_;

	return $t->see('GET', "/$name?id=$id&s=" . ($status || 'running'));
}

sub hook {
	my ($name) = @_;

	return $t->get("/status/hooks/$name")->json;
}

sub removed {
	my ($n) = $t->get('/status/metrics')->body
		=~ /^nginx_webhook_removed_deliveries_waiting (\d+)$/m;

	return $n // -1;
}

sub uuids {
	my (@requests) = @_;

	my @uuids = sort(uniq(map { $_->header('X-Webhook-Delivery') }
		@requests));

	return @uuids;
}

sub ids { return join ' ', map { $_->json->{execution}{id} // 'PING' } @_ }

###############################################################################

# many workers see events, one of them sends: here the first eight are held

%hooks = (
	many => 'events EXECUTION; max_in_flight 4; retry 1h;',
	spread => 'events EXECUTION;',
	late => 'max_in_flight 3; retry 1h;',
	gone => 'max_in_flight 2; retry 1h;',
);

begin(workers => 3, rules => {
	'/late' => [ { status => 204 }, { hold => 1 } ],
	'/gone' => [ { status => 204 }, { hold => 1 } ],
});

is(ids($r->wait_requests(2)), 'PING PING', 'pings of new webhooks');

my ($n, $workers) = (0, 0);

wait_for {
	see('spread', 's' . $n++);
	$workers = uniq($t->access_log() =~ m!^(\d+) /spread!mg);

	return $n >= 20 && $workers >= 2;
};

cmp_ok($workers, '>=', 2, 'several workers see events');
is(uuids($r->wait_requests($n, undef, '/spread')), $n, 'all of it arrives');

# the one that sends is killed, with deliveries in flight and waiting

see('many', "m$_") for 1 .. 20;
ok(wait_for { hook('many')->{in_flight} == 4 }, 'kill - in flight');
is(hook('many')->{waiting}, 16, 'kill - waiting');

my @first = uuids($m->wait_requests(4));
my $owner;

ok(wait_for { ($owner) = $t->connected($m->port()) },
	'kill - one worker sends');
$t->kill_worker($owner, 'KILL');

ok((wait_for { hook('many')->{delivered} == 20 } 20), 'kill - all delivered');

my @many = $m->requests();

is(@many, 24, 'kill - what was in flight came twice, all else once');
is(uuids(@many), 20, 'kill - by the same UUIDs');
is(join(' ', uuids(@many[0 .. 3])), join(' ', @first), 'kill - these');
is(uniq(map { $_->header('X-Webhook-Attempt') } @many), 1,
	'kill - the same attempts');
ok($t->wait_workers(), 'kill - a worker in its place');
is($r->requests('/late') + $r->requests('/gone'), 2, 'kill - no more pings');

# workers are killed, again and again, while events come

for my $round (1 .. 6) {
	see('spread', "k$round.$_") for 1 .. 5;
	$t->kill_worker(($t->worker_pids())[$round % 2], 'KILL');
	see('spread', "k$round.$_") for 6 .. 10;
	$t->wait_workers();
}

ok((wait_for { hook('spread')->{delivered} == $n + 60 } 20),
	'many kills - all delivered');
is(uuids($r->requests('/spread')), $n + 60, 'many kills - all arrived');

# a reload with deliveries in flight and waiting, and a new webhook

see('late', "l$_") for 1 .. 8;
is($r->wait_requests(4, undef, '/late'), 4, 'reload - held before the others');
see('gone', "g$_") for 1 .. 5;
ok(wait_for { hook('late')->{in_flight} + hook('gone')->{in_flight} == 5 },
	'reload - in flight');

my @old = $t->worker_pids();

$hooks{new} = '';
configure();
ok($t->reload(), 'reload');

is(ids($r->wait_requests(1, undef, '/new')), 'PING', 'reload - a ping');

see('spread', 'after');
ok($r->wait_request(sub { ids($_[0]) eq 'after' }), 'reload - goes on');

is(hook('late')->{in_flight}, 3, 'reload - in flight');
is(hook('late')->{waiting}, 5, 'reload - waiting');
is($r->requests('/late'), 4, 'reload - not one more at once');
is(grep({ $t->alive($_) } @old) > 0, 1, 'reload - an old worker stays');

$r->set('/late' => { status => 204 });
$r->release(3);

ok((wait_for { hook('late')->{delivered} == 9 } 20), 'reload - all delivered');
is($r->requests('/late'), 9, 'reload - each once');
is(uuids($r->requests('/late')), 9, 'reload - indeed');

# a webhook that is removed, and returns

my $removed = delete $hooks{gone};
configure();
ok($t->reload(), 'removed');
is($t->get('/status/hooks/gone')->status, 404, 'removed - not there');
ok((wait_for { removed() == 3 }), 'removed - what waits is counted');

my ($ping) = grep { ids($_) eq 'PING' } $r->requests('/gone');
my $again = $t->post('/status/deliveries/' . $ping->header('X-Webhook-Delivery')
	. '/redeliver', '', headers => [ 'X-Webhook-Write' => 1 ]);
is($again->status, 409, 'removed - nothing is sent again');
is($again->json->{detail}, 'its webhook is not configured', 'removed - why');

$r->release();
ok(wait_for { !grep { $t->alive($_) } @old }, 'removed - old workers end');

see('spread', 'still');
ok($r->wait_request(sub { ids($_[0]) eq 'still' }), 'removed - others go on');
is($r->requests('/gone'), 3, 'removed - nothing more is sent');

$r->set('/gone' => { status => 204 });
$hooks{gone} = $removed;
configure();
ok($t->reload(), 'returned');

ok((wait_for { hook('gone')->{delivered} == 6 } 20), 'returned - all delivered');
is(removed(), 0, 'returned - nothing waits for what is not there');
is(join(' ', sort split / /, ids($r->requests('/gone'))),
	'PING g1 g2 g3 g4 g5', 'returned - each once, and no ping');
is($r->requests('/new'), 1, 'returned - no ping of others');

# what is seen right after a reload is sent then, not with the next renewal

my @waits;

for my $round (1 .. 5) {
	ok($t->reload(), 'at once - reload');

	my $began = time;
	see('spread', "at-once$round");
	ok($r->wait_request(sub { ids($_[0]) eq "at-once$round" }),
		'at once - sent');
	push @waits, time - $began;
}

cmp_ok((sort { $a <=> $b } @waits)[2], '<', 0.5, 'at once - it does not wait');

# a zone of another size, while something waits

$r->set('/late' => { hold => 1 });
see('late', 'z1');
$r->wait_requests(10, undef, '/late');

$zone = '6m';
configure();
$t->allow(qr/6291456|6144K|6M/i);
ok(!$t->reload(), 'zone - not reloaded');
like($t->reload_error(), qr/6144K.*4096K|4096K.*6144K|6291456.*4194304
	|4194304.*6291456/x, 'zone - both sizes are said');
is(hook('late')->{in_flight}, 1, 'zone - goes on as before');

$r->release();
$r->set('/late' => { status => 204 });
ok(wait_for { hook('late')->{delivered} == 10 }, 'zone - until all is sent');
ok($t->reload(), 'zone - now it is');

see('late', 'z2');
ok($r->wait_request(sub { ids($_[0]) eq 'z2' }), 'zone - and goes on');

$t->done(more => 1);

# in peace: what is in flight ends, what waits is not begun

%hooks = (quiet => 'events EXECUTION; max_in_flight 1;');

begin(rules => { '*' => { hold => 1 } });
see('quiet', 'a');
see('quiet', 'b');
ok($r->wait_requests(1), 'quit - in flight');

my @pids = $t->worker_pids();

$t->signal('QUIT');
ok($t->wait_log(qr/gracefully shutting down/), 'quit - told');
ok(wait_for { grep({ $t->alive($_) } @pids) == 1 }, 'quit - the idle one ends');
is($r->stats->{open}, 1, 'quit - the attempt goes on');

$r->release();
ok($t->wait_gone(), 'quit - ended when it had');
is($r->requests(), 1, 'quit - nothing was begun');
$t->done(more => 1);

# not for ever

begin(rules => { '*' => { hold => 1 } }, main => 'worker_shutdown_timeout 1s;');
see('quiet', 'a');
ok($r->wait_requests(1), 'shutdown timeout - in flight');

@pids = $t->worker_pids();
my $began = time();

ok($t->reload(), 'shutdown timeout - reload');
ok((wait_for { !grep { $t->alive($_) } @pids } 8),
	'shutdown timeout - old workers end');
ok($r->wait_requests(2, 8) == 2, 'shutdown timeout - another one sends it');

my @q = $r->requests();
is(uuids(@q), 1, 'shutdown timeout - the same delivery');
is(join(' ', map { $_->header('X-Webhook-Attempt') } @q), '1 1',
	'shutdown timeout - the same attempt');

$began = time();
ok($t->quit(8), 'shutdown timeout - quit');
cmp_ok(time() - $began, '<', 8, 'shutdown timeout - in time');
$t->done(more => 1);

# at once

begin(rules => { '*' => { hold => 1 } });
see('quiet', 'a');
ok($r->wait_requests(1), 'term - in flight');

$t->signal('TERM');
ok($t->wait_gone(5), 'term - at once');
$t->done(more => 1);

# alone

%hooks = (quiet => 'retry 200ms;');

begin(master => 0, rules => { '/quiet' => [ { status => 204 },
	{ status => 500 }, { status => 204 } ] });

is(ids($r->wait_requests(1)), 'PING', 'no master - ping');
see('quiet', 'a');
ok(wait_for { hook('quiet')->{delivered} == 2 }, 'no master - delivered');
is(ids($r->requests()), 'PING a a', 'no master - by a second attempt');

$r->set('/quiet' => { hold => 1 });
see('quiet', 'b');
is($r->wait_requests(4), 4, 'no master - in flight');
$t->signal('QUIT');
ok($t->wait_gone(), 'no master - ends, as nginx does there, at once');
$t->done();

###############################################################################
