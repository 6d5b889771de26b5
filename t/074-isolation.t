#!/usr/bin/perl

# One webhook's trouble is nobody else's: beside endpoints that hang, are
# dead, drip, have no name or speak nonsense, the others' deliveries arrive
# while those attempts are still under way, and so do the API's answers.

###############################################################################

use warnings;
use strict;

use Test::More;

use WebhookTest;

###############################################################################

my $n = 200;

my $t = WebhookTest->new();
my $api = $t->upstream('api', fallback => { status => 200,
	json => { id => 1, status => 'new' } });
my $good = $t->receiver('good');
my $bad = $t->receiver('bad', rules => {
	'/hang' => { hold => 1 },
	'/drip' => { status => 200, size => 100000, piece => 1, gap => 20 },
	'/nonsense' => { raw => "nonsense\n\n", then => 'close' },
	'/reset' => { drop => 'reset' },
});

$t->port('dead');

my %trouble = (
	hang => $bad->url('/hang'),
	drip => $bad->url('/drip'),
	nonsense => $bad->url('/nonsense'),
	reset => $bad->url('/reset'),
	dead => 'http://127.0.0.1:%%PORT_dead%%/',
	nowhere => 'http://webhook.invalid/',
);

my @good = map { "good$_" } 1 .. 4;

my $hooks = join '', map { "webhook $_ { url $trouble{$_}; "
	. "timeout 60s; retry 1h 1h 1h 1h 1h 1h; events LAUNCHED; }\n" } sort keys %trouble;

$hooks .= join '', map { 'webhook ' . $_ . ' { url ' . $good->url("/$_")
	. "; events LAUNCHED; }\n" } @good;

$t->http_config(<<"EOF");

webhook_zone zone=webhooks:32m;

webhook_api jobs {
    id    /id;
    state /status;

    route POST /api/jobs/* { launch; id /none \$uri; }
}

server {
    listen 127.0.0.1:%%PORT_0%%;
    server_name localhost;

    location /api/ {
        proxy_pass %%URL_api%%;
        proxy_ignore_client_abort on;
        webhook_observe jobs;

        $hooks
    }

    location /status/ {
        webhook_status write=on;
    }
}

EOF

$t->run();

###############################################################################

my $answers = 0;
my $c = $t->connect($t->port(0));

for my $i (1 .. $n) {
	my $r = $c->request('POST', "/api/jobs/$i", body => '{}');
	$answers++ if $r && $r->status == 200;
}

is($answers, $n, 'every answer of the API came');

my @got = $good->wait_requests($n * @good);
is(@got, $n * @good, 'every delivery of the others came');

my %seen;
$seen{$_->path}{$_->json->{execution}{id}}++ for @got;

for my $name (@good) {
	is(keys %{ $seen{"/$name"} }, $n, "$name - each execution");
	is((grep { $_ != 1 } values %{ $seen{"/$name"} }), 0,
		"$name - each once");
}

# and all that while

my $hang = hook('hang');
is($hang->{in_flight}, 16, 'attempts that hang are still under way');
is($hang->{waiting} + $hang->{in_flight}, $n, 'nothing of theirs is lost');
is($hang->{delivered}, 0, 'nor delivered');

for my $name (qw/ dead nowhere nonsense reset /) {
	my $broken = wait_for { hook($name)->{state} eq 'probing' };
	ok($broken, "$name - only probes go out");

	my $h = hook($name);
	is($h->{waiting} + $h->{in_flight}, $n, "$name - none is lost");
	cmp_ok($h->{attempts}, '<', 40, "$name - it is not hammered");
}

$t->done(more => 1);

###############################################################################

# nor does what waits for it take the room of the others' events, be they of the
# same answers

$t = WebhookTest->new();
$api = $t->upstream('api');
$good = $t->receiver('good');
$bad = $t->receiver('bad', rules => { '*' => { status => 503 } });

# probes use up attempts of the oldest ones

my $dead = "url @{[ $bad->url('/') ]}; retry " . '1h ' x 20 . ';';
my $slow = "url @{[ $good->url('/slow') ]}; rate 1r/m;";

$t->http_config(<<"EOF");

webhook_zone zone=webhooks:2m;

webhook_api jobs {
    execution  "";
    id         /id;
    state      /status;
    states     LAUNCHED queued;

    route GET /* { }
}

webhook_defaults { events EXECUTION; }

server {
    listen 127.0.0.1:%%PORT_0%%;
    server_name localhost;

    proxy_ignore_client_abort on;
    webhook_observe jobs;

    location / {
        proxy_pass %%URL_api%%;

        webhook dead { $dead }
    }

    location /other/ {
        proxy_pass %%URL_api%%;

        webhook other { url @{[ $good->url('/other') ]}; }
    }

    location /second/ {
        proxy_pass %%URL_api%%;

        webhook second { $dead }
    }

    location /third/ {
        proxy_pass %%URL_api%%;

        webhook third { $dead }
    }

    location /slow/ {
        proxy_pass %%URL_api%%;

        webhook slow { $slow }
    }

    location /pair/ {
        proxy_pass %%URL_api%%;

        webhook dead { $dead }
        webhook slow { $slow }
    }

    location /both/ {
        proxy_pass %%URL_api%%;

        webhook dead { $dead }
        webhook fine { url @{[ $good->url('/fine') ]}; }
        webhook last { $dead queue 20 overflow=oldest; }
    }

    location /last/ {
        proxy_pass %%URL_api%%;

        webhook last { $dead queue 20 overflow=oldest; }
    }

    location /status/ {
        webhook_status write=on;
    }
}

EOF

$t->run();

my $full;

answer("/slow/$_", 'queued') for 1 .. 40;

# beside it two that have fewer events

for my $i (1 .. 1000) {
	answer("/dead/$i", 'queued');

	if ($i % 7 == 0) {
		answer("/$_/$i", 'queued') for qw/ second third /;
	}

	wait_for { waiting('dead') == $i || refused() };

	if (refused()) {
		$full = $i - 1;
		last;
	}
}

ok($full && $full > 10, 'a dead webhook has filled its share')
	or diag($full || 'never');

for my $name (qw/ second third /) {
	answer("/$name/m$_", 'queued') for 1 .. $full;

	is(hook($name)->{state}, 'probing', "$name - is dead, too");
}

$full = waiting('dead');

answer("/other/$_", 'queued') for 1 .. 50;
answer("/both/$_", 'queued') for 1 .. 30;

is($good->wait_requests(50, undef, '/other'), 50, "another's events go out");
is($good->wait_requests(30, undef, '/fine'), 30, 'so do those of both');

ok(wait_for { waiting('dead') == $full }, 'the dead one has what it had')
	or diag(waiting('dead') . " of $full");
is(hook('dead')->{dropped}, 30, 'and drops are counted');
like($t->error_log(), qr/webhook "dead": its share of webhook_zone is full, \d/,
	'it is said');
unlike($t->error_log(), qr/webhook "fine": its share/, 'of no other');
ok(wait_for { waiting('last') == 20 }, 'one that drops the oldest');
is(hook('last')->{dropped}, 10, 'does');

my $more = 0;

wait_for { answer('/last/' . ++$more, 'queued');
	$t->error_log() =~ /webhook "last": the queue/ };
like($t->error_log(), qr/webhook "last": the queue of 20 is full/,
	'by its own number');
unlike($t->error_log(), qr/webhook "last": its share/, 'not by its share');

# one that works, and for which no more waits than on average, gets its events,
# though it is not among those for which little waits

my $got = sub { waiting('slow') + hook('slow')->{delivered} };
my ($had, $dropped) = ($got->(), hook('dead')->{dropped});
answer("/pair/$_", 'queued') for 1 .. 5;

ok(wait_for { $got->() == $had + 5 }, 'one that is slow has its events')
	or diag($got->() . " of $had + 5");
is(hook('dead')->{dropped}, $dropped + 5, 'they are dropped for the dead one');

# what was refused, and is for nobody else, is announced when there is room

answer("/dead/" . ($full + 1), 'queued');
ok(wait_for { waiting('dead') == $full }, 'refused again')
	or diag(waiting('dead') . " of $full");

$bad->set('*' => { status => 204 });
$t->post('/status/hooks/dead/resume', '', headers => [ 'X-Webhook-Write' => 1 ]);
ok(wait_for { waiting('dead') == 0 }, 'what waits is sent');

answer("/dead/" . ($full + 1), 'queued');
ok(wait_for { hook('dead')->{delivered} == $full + 1 },
	'what was refused is, after the next poll');

$t->done();

###############################################################################

sub answer {
	my ($uri, $status) = @_;

	$api->set($uri => { status => 200, json => {
		id => $uri, status => $status, text => 'x' x 2000 } });

	$t->see('GET', $uri);
}

sub refused { $t->error_log() =~ /lost its events: webhook_zone is full/ }

sub waiting {
	my $h = hook($_[0]);

	return $h->{waiting} + $h->{in_flight};
}

sub hook { $t->get("/status/hooks/$_[0]")->json }

###############################################################################
