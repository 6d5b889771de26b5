#!/usr/bin/perl

# The page and many deliveries: ten thousand of them cost no more than fifty,
# none is missed or stale, what is unfolded stays as it is, the way back works,
# and the page survives nginx.

###############################################################################

use warnings;
use strict;

use JSON::PP;
use Test::More;

use WebhookTest;
use WebhookTest::Browser;

###############################################################################

my $t = WebhookTest->new();
my $up = $t->upstream('up');
my $r = $t->receiver('r');

$t->http_config(<<'EOF');

webhook_zone zone=webhooks:64m;
webhook_buffer_size 1m;

webhook_api jobs {
    id /id;
    state /status;
    states FINISHED done;

    route POST /api/job { launch; }
    route POST /api/held { launch; }
    route POST /api/bad { launch; }
    route POST /api/bulk { launch; each /jobs/*; }
}

server {
    listen 127.0.0.1:%%PORT_0%%;
    server_name localhost;

    proxy_ignore_client_abort on;
    webhook_observe jobs;

    location /api/job {
        proxy_pass %%URL_up%%;

        webhook one { url %%URL_r%%/one; events LAUNCHED; }
    }

    location /api/held {
        proxy_pass %%URL_up%%;

        webhook held { url %%URL_r%%/held; events LAUNCHED; timeout 5m; }
    }

    location /api/bad {
        proxy_pass %%URL_up%%;

        webhook bad {
            url    %%URL_r%%/bad;
            events LAUNCHED;
            retry  2s 2s 2s 1h;
        }
    }

    location /api/bulk {
        proxy_pass %%URL_up%%;

        webhook many { url %%URL_r%%/many; events LAUNCHED; queue 20000; }
    }

    location /status/ {
        webhook_status write=on;
    }
}

EOF

$r->set('/held' => { status => 204, hold => JSON::PP::true });
$r->set('/bad' => { status => 500, body => 'x' x 2000 });

$t->run();

is($t->post('/status/hooks/many/pause', '', headers =>
	[ 'X-Webhook-Write' => 1 ])->status, 200, 'paused');

launch('/api/held', 'held');
$r->wait_requests(1, undef, '/held');

for my $n (0 .. 9) {
	$up->set('/api/bulk' => { json => { jobs => [
		map { { id => "job-$n-$_", status => 'new' } } 1 .. 1000 ] } });
	$t->post('/api/bulk', '{}');
}

ok(wait_for { hook('many')->{waiting} == 10000 }, 'ten thousand wait');

my $old = $t->get('/status/deliveries?hook=held')->json->{deliveries}[0]{uuid};

my $launched = 0;

my %saw = visit($t, 'page-list.js', { old => $old },
	launch => sub { launch('/api/job', 'new-' . $launched++) },
	burst => sub { launch('/api/job', 'burst-' . $launched++) for 1 .. 80 },
	release => sub { $r->release() },
	bad => sub { launch('/api/bad', 'bad') },
	stop => sub { $t->stop() },
	start => sub { $t->run() });

# navigation

is($saw{alone}, "held $old", 'a link to what is not loaded');
is($saw{alone_gone}, 1, 'a link to what is not there');
is($saw{revealed}, 'true', 'a link to what is further down');
is($saw{pauses}, 1, 'one pause is waited for, while something is typed');
is($saw{keystrokes}, 1, 'one request for what was typed');
is($saw{typed}, 'job-3-77', 'found');
is($saw{race}, 'many', 'an older answer does not overwrite a newer one');
is($saw{unfolded}, 'many 1', 'unfolded');
is($saw{back}, 'many 0', 'back - folded');
is($saw{back_typed}, 'job-3-77', 'back - the filter before');
is($saw{back_field}, 'job-3-77', 'back - its field');
is($saw{back_start}, '0 true', 'back - no filter');
is($saw{forward}, '1 many', 'forward');

# many

is($saw{loaded}, 10001, 'all are loaded');
cmp_ok($saw{rows}, '<', 100, 'few rows');
cmp_ok($saw{nodes}, '<', 1500, 'few elements');
cmp_ok($saw{idle}, '<=', 3, 'requests in a turn, at the end of the list');
is($saw{same}, 304, 'nothing is sent again');
cmp_ok($saw{longest}, '<', 1000, 'no very long task');
is($saw{held_before}, 'sending', 'the oldest');
is($saw{held_after}, 'delivered', 'what one looks at is not stale');
is($saw{moved}, 0, 'new ones do not move what one looks at');
is($saw{newer}, "\x{e2}\x{86}\x{91} 1 new", 'but are announced');
is($saw{top_row}, 'new-0', 'and are there');

# more than an answer holds, between two looks (and no more than are kept)

is($saw{gap}, 'same', 'none is missed');

# what is unfolded

cmp_ok($saw{attempts}, '>', 0, 'attempts come by themselves');
is($saw{same_payload}, 1, 'the payload is still the same element');
is($saw{focus}, 'find in payload', 'the focus is where it was');
is($saw{selected}, 'LAUNCHED', 'the selection, too');
is($saw{same_card}, 1, 'a card is still the same element');

# several pages

is($saw{second}, $saw{first}, 'two pages show the same');

is($saw{hidden}, 0, 'nothing is asked while nobody looks');

# nginx is gone, and comes back

like($saw{down}, qr/^Nginx does not answer since /, 'gone');
is($saw{down_rows}, 1, 'gone - the rows stay');
is($saw{axe_down}, '', 'gone - nothing serious');
is($saw{up}, 'live', 'back');
is($saw{up_down}, 0, 'back - nothing is said any more');
is($saw{up_rows}, 0, 'back - what nginx has');
is($saw{empty}, 1, 'back - what to do');
is($saw{axe_empty}, '', 'empty - nothing serious');
is($saw{errors}, '', 'no faults');

diag("10,000 deliveries: $saw{nodes} elements, $saw{rows} rows, "
	. "$saw{idle} requests a turn, longest task $saw{longest} ms");

$t->done();

###############################################################################

sub launch {
	my ($path, $id) = @_;

	$up->set($path => { json => { id => $id, status => 'new' } });

	return $t->post($path, '{}');
}

sub hook {
	my ($name) = @_;

	return $t->get("/status/hooks/$name")->json;
}

###############################################################################
