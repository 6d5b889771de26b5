#!/usr/bin/perl

# A storm with a fixed seed: workers are killed, nginx is reloaded, and the
# receiver answers as badly as it can.  In the end every event that a complete
# response announced has arrived, each under one id.  STORM=SECONDS and SEED=N
# make it longer, and another one ("make storm").

###############################################################################

use warnings;
use strict;

use List::Util qw/ shuffle /;
use Test::More;
use Time::HiRes qw/ time /;

use WebhookTest;
use WebhookTest::Storm;

###############################################################################

my $seconds = $ENV{STORM} || 8;
my $seed = $ENV{SEED} || 20;

srand $seed;

my $t = WebhookTest->new(workers => 3);
my $r = $t->receiver('r');
my $c = WebhookTest::Storm->new($t);

$t->http_config(<<'EOF');

webhook_zone zone=webhooks:64m;

webhook_api jobs {
    id      /id;
    state   /status;
    states  LAUNCHED queued;
    states  STARTED running;
    states  FINISHED done;
    updated /step;

    route POST /api/launch { launch; }
    route GET /api/poll { }
}

webhook_defaults {
    timeout  1s;
    queue    100000;
    retry    100ms 200ms 200ms 200ms 500ms 500ms 500ms 1s 1s 1s 1s 1s 1s 1s 1s
             1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s;
    events   LAUNCHED STARTED FINISHED;
    secret   whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw;
}

server {
    listen 127.0.0.1:%%PORT_1%%;
    default_type application/json;

    location /api/ {
        return 200 '{"id":"$arg_id","status":"$arg_status","step":"$arg_step"}';
    }
}

upstream r {
    server %%HOST_r%%;
    keepalive 8;
}

server {
    listen 127.0.0.1:%%PORT_0%%;
    server_name localhost;

    location @r {
        include %%CONF%%/webhook/via.conf;
        proxy_pass http://r;
    }

    location /api/ {
        proxy_pass http://127.0.0.1:%%PORT_1%%;
        proxy_ignore_client_abort on;
        webhook_observe jobs;

        webhook builtin {
            url %%URL_r%%/builtin;
        }

        webhook via {
            url %%URL_r%%/via;
            via @r;
        }
    }

    location /status/ {
        webhook_status write=on;
    }
}

EOF

$t->run();

###############################################################################

my @behaviours = behaviours();

my %steps = (
	kill => sub {
		my @pids = $t->worker_pids() or return;
		$t->kill_worker($pids[rand @pids], 'KILL');
	},
	reload => sub { $t->reload() },
	behave => sub {
		$r->set('/builtin' => $behaviours[rand @behaviours]);
		$r->set('/via' => $behaviours[rand @behaviours]);
	},
	behave_again => sub {
		$r->set('*' => $behaviours[rand @behaviours]);
	},
);

my ($n, $kills, $until) = (0, 0, time() + $seconds);
my (%announced, @running);

while (time() < $until) {
	my ($step) = shuffle(sort keys %steps);
	my $before = $r->requests;

	if ($step eq 'kill') {
		$c->barrier('/api/poll?id=barrier&status=done');
		$kills++;
	}

	$steps{$step}->();

	for (1 .. 12) {
		my $id = 'e' . $n++;

		announce($id, 'LAUNCHED') if $c->request('POST',
			"/api/launch?id=$id&status=queued&step=0");

		push @running, $id;
	}

	for my $id (splice @running, 0, int rand @running) {
		announce($id, 'STARTED') if $c->request('GET',
			"/api/poll?id=$id&status=running&step=1");
		$c->request('GET', "/api/poll?id=$id&status=running&step=2")
			if rand() < 0.3;
		announce($id, 'FINISHED') if $c->request('GET',
			"/api/poll?id=$id&status=done&step=3");
	}

	# something of it goes out before the weather changes

	wait_for { $r->requests > $before + 5 } 0.5;
}

note("seed $seed: $n executions, $kills kills");

# the sky clears

$r->set($_ => { status => 204 }) for qw! /builtin /via * !;

$t->wait_workers();

for my $name (qw/ builtin via /) {
	$t->post("/status/hooks/$name/resume", '',
		headers => [ 'X-Webhook-Write' => 1 ]);
}

my $drained = wait_for {
	!grep { $_->{waiting} + $_->{in_flight} }
		@{ $t->get('/status/hooks')->json->{hooks} };
} 60;

ok($drained, 'everything is sent in the end');

my (%got, %ids);

for my $q ($r->requests) {
	my $p = eval { $q->json } or next;
	my $what = join ' ', $q->path, $p->{execution}{id}, $p->{event};

	$got{$what}++;
	$ids{$what}{$q->header('X-Webhook-Delivery')} = 1;
}

for my $name (qw/ builtin via /) {
	my @missing = grep { !$got{"/$name $_"} } sort keys %announced;

	is("@missing[0 .. ($#missing < 4 ? $#missing : 4)]", '',
		"$name - all that was announced has arrived");
}

is((grep { keys %{ $ids{$_} } > 1 } keys %ids), 0, 'each under one id');

for my $h (@{ $t->get('/status/hooks')->json->{hooks} }) {
	is($h->{failed} + $h->{dropped} + $h->{expired}, 0,
		"$h->{name} - nothing was given up");
}

$t->done();

###############################################################################

sub announce {
	my ($id, $event) = @_;

	$announced{"$id $event"} = 1;
}

###############################################################################
