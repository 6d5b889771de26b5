#!/usr/bin/perl

# The page in use: what one reads and has in focus stays in sight, one click is
# one action, and what keeps it from working is told in words.

###############################################################################

use warnings;
use strict;

use Test::More;

use WebhookTest;
use WebhookTest::Browser;

###############################################################################

my $t = WebhookTest->new();
my $up = $t->upstream('up');
my $r = $t->receiver('r');

my $gone = 'webhook gone { url %%URL_r%%/gone; events LAUNCHED; }';

my $conf = <<'EOF';

# who is logged in: a page with a cookie, and the check at the end of the test

map $cookie_in$http_x_webhook_write $in {
    ~.  1;
}

webhook_zone zone=webhooks:8m log=200;

webhook_api jobs {
    id /id;
    state /status;
    route POST /api/jobs { launch; each /jobs/*; }
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
        }

        webhook late {
            url     %%URL_r%%/late;
            events  LAUNCHED;
            expire  10ms;
            retry   1h;
        }

        GONE
    }

    location /status/ {
        webhook_status write=on;
    }

    location /strict/ {
        webhook_status;
        add_header Content-Security-Policy "default-src 'self'";
    }

    location /guarded/ {
        auth_request /auth;
        webhook_status write=on;
    }

    location /elsewhere/ {
        auth_request /auth;
        error_page 401 = @login;
        webhook_status;
    }

    location = /auth {
        if ($in = "") { return 401; }
        return 204;
    }

    location @login {
        return 302 http://login.example/;
    }
}

EOF

$r->set('/late' => { status => 503 });

configure($gone);
$t->run();

launch("zero\x{200d}width", "family \x{1f468}\x{200d}\x{1f469}", 'plain');
launch(map { "job-$_" } 1 .. 180);

ok(wait_for {
	my %h = map { $_->{name} => $_ }
		@{ $t->get('/status/hooks')->json->{hooks} };

	$h{ci}{delivered} == 183 && $h{gone}{delivered} == 183
		&& $h{late}{expired} > 0;
}, 'delivered, or late');

$t->get("/api/nowhere/$_") for 1 .. 30;

my $uuid = $t->get('/status/deliveries?hook=gone&limit=1')
	->json->{deliveries}[0]{uuid};

my %saw = visit($t, 'page-use.js', { gone => $uuid },
	remove => sub { configure(''); $t->reload() },
	restore => sub { configure($gone); $t->reload() },
	evict => sub { ping() for 1 .. 210 },
	observe => sub { $t->get('/api/more') },
	stop => sub { $t->stop() },
	start => sub { $t->run() });

# in sight

is($saw{hidden}, 0, 'nothing that has the focus is below the filters');
is($saw{narrow}, 'sticky', 'which stay there');
is($saw{selected}, 'GET /api/nowhere/4', 'what is selected stays so');
is($saw{observed}, 1, 'and the rest is new');
is($saw{broken}, '', 'no word of a column is broken');
is($saw{paper}, 'all and again few', 'on paper all that was loaded');
is($saw{dark_paper}, 'rgb(255, 255, 255)', 'which is white');
is($saw{joiner}, 'zero\u200dwidth', 'a joiner that joins nothing is seen');
is($saw{family}, 1, 'one that does is left alone');
is($saw{cut}, 0, 'times of another day and events have room');
is($saw{kept}, '1 1 0', 'what is read stays when it makes room');
is($saw{left_it}, 'h-list', 'and leaves the focus near');
is($saw{cleared}, 'h-list', 'filters, too');
is($saw{all}, 'bad12', 'and the endpoints that were not shown');
is($saw{several}, 'waiting,delivered', 'an address with several statuses');
is($saw{told}, '3 deliveries', 'a filter\'s result is told');
is($saw{far}, 'None so far; older ones are being looked at.',
	'none yet is not none');
is($saw{far_found}, '1 1 delivery', 'the rest comes by itself');
like($saw{no_store}, qr/^The store cannot be read now/,
	'nor is what cannot be read');
cmp_ok($saw{pause}, '<=', 16, 'what does not come is asked for in peace');
is($saw{went_on}, 150, 'and comes when it can');

# one click

is($saw{pings}, 1, 'two quick clicks');
is($saw{paused}, 'paused', 'two quick clicks where another button comes');
like($saw{glance}, qr/ 1 paused$/, 'is told at a glance');
is($saw{held}, 1, 'a key that is held down');
is($saw{again}, 1, 'expired ones can be sent again');
is($saw{left}, '1 is on its way again, some are left for another time: the '
	. 'queue is full', 'and what is left is told');
is($saw{thousands}, '40000 are on their way again', 'many take longer');

# told in words

is($saw{dots}, 'There is no delivery .. (any more)', 'an id of two dots');
is($saw{no_curl}, 0, 'no curl for a webhook that is gone');
is($saw{no_url}, 'POST ', 'whose url is not known');
like($saw{strict}, qr/^This page needs its own script/, 'a strict policy');
is($saw{not_strict}, 0, 'which is not there otherwise');
like($saw{guarded}, qr/^The answer is 401 Unauthorized since .*load this page again to log in\.$/,
	'logged out');
like($saw{elsewhere}, qr/^Nginx sends elsewhere, perhaps to log in since .*load this page again to log in\.$/,
	'logged out - sent elsewhere');
like($saw{many}, qr/^120 of 120 endpoints need a look: [\w, ]+ and 112 more/,
	'many endpoints');

# filters for a webhook that a reload removes

like($saw{removed}, qr/^These filters do not work/, 'a filter for nobody');
cmp_ok($saw{asked}, '<=', 2, 'asks as often as ever');
is($saw{removed_live}, 'live', 'and is live');
is($saw{removed_up}, 'live 0', 'after a restart, too');
is($saw{restored}, 1, 'and works again');

is($saw{errors}, '', 'no faults');

$t->done();

###############################################################################

sub configure {
	my ($webhook) = @_;

	(my $text = $conf) =~ s/GONE/$webhook/;

	return $t->http_config($text);
}

sub ping {
	return $t->post('/status/hooks/ci/ping', '',
		headers => [ 'X-Webhook-Write' => 1 ]);
}

sub launch {
	$up->set('/api/jobs' => { json => { jobs => [
		map { { id => $_, status => 'new' } } @_ ] } });

	return $t->post('/api/jobs', '{}');
}

###############################################################################
