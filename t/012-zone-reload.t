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

$t->done();

###############################################################################

sub delivery {
	return $t->get('/status/deliveries')->json()->{deliveries}[0];
}

sub configure {
	my ($zone) = @_;

	my $retry = join ' ', ('300ms') x 30;

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

        webhook ci {
            url http://127.0.0.1:$down/;
            events EXECUTION;
            retry $retry;
        }

        return 200 '{"id":"1"}';
    }

    location /status/ {
        webhook_status write=on;
    }
}

EOF
}

###############################################################################
