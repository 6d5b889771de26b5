#!/usr/bin/perl

# The zone over reloads and deaths of workers: what waits in it is never lost
# by a change of configuration, and goes on afterwards.

###############################################################################

use warnings;
use strict;

use Test::More;

use WebhookTest;

###############################################################################

my $t = WebhookTest->new(workers => 2);

my $down = $t->port('down');

configure('webhooks:2m');
$t->run();

###############################################################################

is($t->post('/api/1')->status, 200, 'a launch');
ok(wait_for { delivery() && delivery()->{status} eq 'waiting' },
	'its event waits');

my $uuid = delivery()->{uuid};

ok($t->reload(), 'reload');
is(delivery()->{uuid}, $uuid, 'it still waits');

configure('webhooks:4m');
ok(!$t->reload(), 'another size is refused');
like($t->reload_error(), qr/"webhooks" of 4194304 bytes cannot replace/,
	'with a reason');
like($t->reload_error(), qr/of 2097152 bytes while 1 deliveries wait/,
	'that names both');

configure('others:2m');
ok(!$t->reload(), 'so is another name');
like($t->reload_error(), qr/"others".*cannot replace "webhooks"/,
	'with a reason');
$t->allow(qr/cannot replace "webhooks"/);

configure('webhooks:2m');
ok($t->reload(), 'as it was');

$t->kill_worker();
$t->wait_workers();
is(delivery()->{uuid}, $uuid, 'when a worker dies, it still waits');

# the receiver comes to life

my $r = $t->receiver('down', port => $down);

wait_for { delivery()->{status} eq 'delivered' } 40;
is(delivery()->{status}, 'delivered', 'then it is delivered');
is(delivery()->{uuid}, $uuid, 'and no other');

configure('webhooks:4m');
ok($t->reload(), 'now the size may change');
is(delivery(), undef, 'and the zone begins empty');

###############################################################################

# a zone of 1m has 32 places for webhooks, those of removed ones are used again

configure('webhooks:1m', map { "a$_" } 1 .. 20);
ok($t->reload(), 'twenty webhooks');
is(join(' ', launched()), join(' ', sort map { "a$_" } 1 .. 20), 'all work');

for my $name (qw/ b c d /) {
	configure('webhooks:1m', map { "$name$_" } 1 .. 20);
	ok($t->reload(), 'twenty others');
	is(join(' ', launched()), join(' ', sort map { "$name$_" } 1 .. 20),
		'all work');
}

is(delivery('a1'), undef, 'what was removed first is forgotten');

# one of 33, for which something waits, has kept its own

my $re = qr/webhook_zone is too small for webhook "e32": it has room for 32/;

$t->allow($re);
$t->allow(qr/webhook_zone "webhooks" has no room for all webhooks/);
$t->post('/status/hooks/d1/pause', '', headers => [ 'X-Webhook-Write', 1 ]);
launched();
configure('webhooks:1m', map { "e$_" } 1 .. 32);
ok($t->reload(), 'too many webhooks');
is(join(' ', launched()), join(' ', sort map { "e$_" } 1 .. 31),
	'31 of them work');
ok(wait_for { $t->error_log() =~ $re }, 'of the other it is said');
is($t->post('/status/hooks/e32/pause', '', headers => [ 'X-Webhook-Write', 1 ])
	->status, 404, 'none is paused for one without a place');
is(delivery('e32'), undef, 'nor are deliveries of others its own');

configure('webhooks:1m', map { "e$_" } 1 .. 33);
ok(!$t->reload(), '33 are refused');
like($t->reload_error(), qr/no\ room\ for\ webhook\ "e33":\ a\ zone\ of\ 1024K\ holds
	\ 32\ webhooks,\ here\ are\ 33\ in\ \S*nginx\.conf:\d+/x, 'with a reason');
$t->allow(qr/no room for webhook "e33"/);

$t->done();

###############################################################################

sub delivery {
	my ($hook) = @_;

	return $t->get('/status/deliveries')->json()->{deliveries}[0] if !$hook;
	return ($t->get("/status/deliveries?hook=$hook")->json()->{deliveries}
		|| [])->[0];
}

# a launch; the webhooks that it came by

sub launched {
	my $before = $r->requests();

	$t->see('POST', '/api/1');

	wait_for { !grep { $_->{status} ne 'delivered' && $_->{hook} ne 'd1' }
		@{ $t->get('/status/deliveries?limit=100')->json()
			->{deliveries} } };

	my @requests = $r->requests();

	return sort map { $_->target() =~ m!/(\w+)$! } @requests[$before .. $#requests];
}

sub configure {
	my ($zone, @names) = @_;

	my $retry = join ' ', ('300ms') x 30;
	my $hooks = join "\n", map { <<"EOF" } @names ? @names : 'ci';
        webhook $_ {
            url http://127.0.0.1:$down/$_;
            events EXECUTION;
            retry $retry;
        }
EOF

	$t->http_config(<<"EOF");

webhook_zone zone=$zone;

webhook_api test {
    id /id;
    execution "";
    route POST /api/* { launch; }
}

server {
    listen 127.0.0.1:%%PORT_0%%;

    location /api/ {
        webhook_observe test;
        proxy_ignore_client_abort on;

$hooks
        return 200 '{"id":"\$request_id"}';
    }

    location /status/ {
        webhook_status write=on;
    }
}

EOF
}

###############################################################################
