#!/usr/bin/perl

# Clients come first, where connections or files are short; but a connection
# that is idle is in nobody's way.

###############################################################################

use warnings;
use strict;

use Test::More;

use WebhookTest;

###############################################################################

my ($t, $r, $up);

# more idle clients than worker_connections; nginx closes as many as it needs

for my $via ('', 'via @via;') {
	my $name = $via ? 'via' : 'built-in';

	start('keepalive_timeout 10m;', "$via url %%URL_r%%/;",
		connections => 128);

	my @clients = map {
		my $c = $t->connect();
		$c->request('GET', '/none');
		$c
	} 1 .. 140;

	$t->post('/run/40', '');

	is($r->wait_requests(40), 40, "idle clients, $name - all are sent");

	$t->done(more => 1);
}

# fewer files than worker_connections: clients are served all the while, and
# connections that libcurl keeps are not all there is

start('webhook_connections 1000;', 'url %%URL_r%%/;',
	main => 'worker_rlimit_nofile 128;');

$r->set('/' => { status => 204, hold => 1 });
$t->post('/run/200', '');

my $held = wait_for { $t->grep_log(qr/webhooks wait: an eighth/) };
ok($held, 'files - said so');
cmp_ok(scalar $r->requests(), '<', 110, 'files - not all of them');

my @c = map { my $c = $t->connect(); $c->send_request('GET', '/none'); $c }
	1 .. 5;

is(grep({ my $x = $_->read_response(); $x && $x->status == 404 } @c), 5,
	'files - clients are served');

$r->set('/' => { status => 204 });
$r->release();

is($r->wait_requests(200, 20), 200, 'files - all are sent');
is($t->grep_log(qr/webhooks wait: an eighth/), 1, 'files - said once');
is($t->grep_log(qr/Too many open files/), 0, 'files - never none left');

$t->done(more => 1);

# what watch and enrich ask for at once leaves an eighth, too

start('', 'url %%URL_r%%/;', connections => 32, test => <<'EOF');

    state   /state;
    states  FINISHED done;
    watch   /status/$webhook_execution every=100ms;
    enrich  project /project/$webhook_execution ttl=0;
    route   GET ~^/status/(?<run>\d+)$ { id $run; each ""; }

EOF

$up->set('*' => { delay => 20, json => { state => 'running' } });
$t->post('/run/200', '');

ok(wait_for(sub {
	2 <= grep { $_->path() eq '/status/200' } $up->requests()
}, 20), 'own requests - all are asked for, again');

is($t->grep_log(qr/worker_connections are not enough while/), 0,
	'own requests - never none left');

$t->done(more => 1);

# an event waits for a connection as it waits for an answer

start('', 'url %%URL_r%%/;', connections => 40, test => <<'EOF');

    enrich  project /project/$webhook_execution ttl=0;

EOF

$up->set('/held' => { json => {}, hold => 1 },
	'/run/1' => { json => { runs => [ 1 ] } },
	'/project/1' => { json => { name => 'P' } });

@c = map { my $c = $t->connect(); $c->send_request('GET', '/held'); $c }
	1 .. 17;

ok(wait_for { $up->stats()->{held} == @c }, 'enrich - clients hold all');
is($t->post('/run/1', '')->status(), 200, 'enrich - another one');
is(scalar $up->requests('/project/1'), 0, 'enrich - not asked for yet');
$up->release();

my ($event) = $r->wait_requests(1);
is($event->json()->{project}{name}, 'P', 'enrich - asked for when it may be');

# ... and no longer; what was not asked for at all is said, too

$up->set('/run/2' => { json => { runs => [ 2 ] } });

$_->read_response(), $_->send_request('GET', '/held') for @c;
ok(wait_for { $up->stats()->{held} == @c }, 'enrich - they hold all again');
$t->post('/run/2', '');
ok($t->wait_log(qr/webhook enrich: the URI in \S+ was not asked for in time/),
	'enrich - said');
$up->release();

($event) = ($r->wait_requests(2))[1];
is($event->json()->{project}, undef, 'enrich - without it');
is(scalar $up->requests('/project/2'), 0, 'enrich - not asked for');

my $own = sub { $t->get("/own/$_[0]")->body() };

like($own->('metrics'), qr/^nginx_webhook_enrichments_total.*failed"\} 1$/m,
	'enrich - counted');
like($own->('observed?reason=not+enriched'), qr!"path": *"/project/2"!,
	'enrich - observed');

$t->done();

###############################################################################

sub start {
	my ($http, $hook, %o) = @_;

	my ($main, $test) = (delete $o{main}, delete $o{test} || '');

	$t = WebhookTest->new(workers => 1, %o);
	$r = $t->receiver('r');
	$up = $t->upstream('up');

	$up->set("/run/$_" => { json => { runs => [ 1 .. $_ ] } })
		for 40, 200;

	$t->http_config(<<"EOF", main => $main);

webhook_zone zone=w:4m;
$http

webhook_api test {
    id     "";
    each   /runs/*;
    route  POST /run/* { launch; }
    $test
}

server {
    listen 127.0.0.1:%%PORT_0%%;
    server_name localhost;

    location / {
        proxy_pass %%URL_up%%;
        proxy_ignore_client_abort on;
        webhook_observe test;

        webhook h { $hook events EXECUTION; max_in_flight 1000; }
    }

    location /own/ { webhook_status; }

    location \@via {
        include %%CONF%%/webhook/via.conf;
        proxy_pass %%URL_r%%;
    }
}

EOF

	$t->run();
}

###############################################################################
