#!/usr/bin/perl

# The page says how endpoints and store do, and what to do in each state; it
# is used by keyboard, and by those who do not see it.

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

mkdir $t->dir . '/store';

$t->port('dead');

$t->http_config(<<'EOF');

webhook_store %%TESTDIR%%/store;

webhook_api jobs {
    id /id;
    state /status;
    states FINISHED done;

    route POST /api/jobs { launch; }
}

server {
    listen 127.0.0.1:%%PORT_0%%;
    server_name localhost;

    location /api/ {
        proxy_pass %%URL_up%%;
        proxy_ignore_client_abort on;
        webhook_observe jobs;

        webhook good { url %%URL_r%%/good; }

        webhook mixed { url %%URL_r%%/mixed; events LAUNCHED; retry off; }

        webhook dead {
            url     http://127.0.0.1:%%PORT_dead%%/;
            events  LAUNCHED;
            retry   10ms 10ms 10ms 10ms 10ms 1h 1h 1h 1h 1h 1h;
        }
    }

    location /status/ {
        webhook_status write=on;
    }
}

EOF

$r->set('/mixed' => [ map { { status => $_ } } 204, 500, 503, 404, 204 ]);

$t->run();

for my $n (1 .. 5) {
	$up->set('/api/jobs' => { json => { id => "job-$n", status => 'new' } });
	$t->post('/api/jobs', '{}');
	$r->wait_requests($n, undef, '/mixed');
}

ok(wait_for {
	my %hooks = map { $_->{name} => $_ }
		@{ $t->get('/status/hooks')->json->{hooks} };

	$hooks{dead}{state} eq 'probing' && @{ $hooks{mixed}{recent} } == 5
		&& !$hooks{good}{waiting} && !$hooks{mixed}{in_flight};
}, 'good, mixed and dead');

$t->get('/api/nowhere') for 1 .. 2;

my %saw = visit($t, 'page-health.js', {});

# endpoints

like($saw{health}, qr/^1 of 3 endpoints needs a look: dead · \d+ waiting/,
	'at a glance');
is($saw{title}, '(1) Webhooks', 'in the title');
is($saw{mixed_strip}, '2 of the last 5 delivered', 'strip');
is($saw{mixed_rate}, '40 %', 'rate');
like($saw{mixed_success}, qr/^(now|\d+ s ago)$/, 'last success');
like($saw{mixed_failure}, qr/^(now|\d+ s ago)$/, 'last failure');
is($saw{good_failure}, 'never', 'no failure');
is($saw{good_why}, 0, 'no reasons');
is($saw{mixed_why}, 'Attempts that failed: 3 of 5, most: server error (5xx)',
	'reasons');
is($saw{mixed_whys}, 'server error (5xx) 2, refused (4xx) 1',
	'reasons - each');
is($saw{why_stays}, 1, 'reasons - stay open');
is($saw{dead_state}, 'failing, only probes go out', 'dead');
is($saw{dead_rate}, 'nothing yet', 'dead - no rate');
cmp_ok($saw{dead_failures}, '>=', 5, 'dead - failures in a row');
like($saw{dead_next}, qr/^(now|in \d+ s)$/, 'dead - next attempt');
like($saw{dead_row}, qr/^connect/, 'dead - why, in its row');
is($saw{card_filter}, 'mixed 5', 'a card\'s name filters');

is($saw{confirmed}, 'Send all that failed or expired at mixed again?',
	'again - asked');
is($saw{recovered}, '3 are on their way again', 'again - told');

# store

# a busy disk takes more than a second

like($saw{store}, qr/ · store ok(?: · \d+ were sent without being on disk)?$/,
	'store');
is($saw{store_failing}, ' · store failing: disk is full · 7 were sent without being on disk',
	'store - failing');
is($saw{axe_failing}, '', 'failing - nothing serious');

is($saw{settings}, 'standard virtuoso', 'settings');

is($saw{midnight}, '1 1 1', 'what was of today is of yesterday');

# responses

is($saw{reasons}, 'no route 2, events 5', 'what responses came to');
is($saw{reason}, '2 no route of the description has this method and path, or '
	. 'its “when” does not hold', 'those of one reason');
is($saw{executions}, 'job-5', 'executions');
is($saw{hints}, join(', ', sort $t->get('/status/metrics')->body
	=~ /observations_total\{reason="([^"]+)"/g), 'a hint for each reason');

# keyboard

is($saw{keys}, '1 2 3 2', 'j, k');
is($saw{entered}, 1, 'Enter');
is($saw{escaped}, '0 2', 'Esc - folded, and where it was');
is($saw{slash}, 'execution', '/');
is($saw{typed}, 'jk?', 'no keys in a field');
is($saw{left}, 'BODY', 'Esc - leaves it');
is($saw{question}, 1, '?');
is($saw{closed}, 0, 'Esc - closed');

# states

is($saw{no_match}, 'No delivery matches these filters.', 'nothing matches');
is($saw{cleared}, '1', 'cleared');
is($saw{none_since}, 'No delivery matches these filters.', 'from - none yet');
like($saw{since}, qr/^20\d\d-\d\d-\d\dT\d\d:\d\d:00\.000Z$/,
	'from - in the address');
is($saw{times}, '1 1', 'from, to - after loading again');
is($saw{no_times}, '', 'from - cleared');
like($saw{refused}, qr/^These filters do not work: there is no webhook/i,
	'filters that are refused');
is($saw{few}, '40 Show all 120 endpoints', 'many - those that need a look');
is($saw{all}, 120, 'many - all');
is($saw{no_hooks}, 1, 'no webhook');
like($saw{no_hooks_do}, qr/webhook ci \{/, 'no webhook - what to do');
is($saw{axe_no_hooks}, '', 'no webhook - nothing serious');
like($saw{bad_gateway}, qr/^The answer is 502 .* since/, 'another answer');
is($saw{axe_dark_down}, '', 'dark, down - nothing serious');
is($saw{axe_dark_unfolded}, '', 'dark, unfolded - nothing serious');
is($saw{axe_small}, '', '360 px, unfolded - nothing serious');
is($saw{small}, 360, '360 px are enough');
is($saw{small_names}, 360, 'with long names, too');
is($saw{forced}, '', 'bars are seen where the system has the colours');
is($saw{axe_forced}, '', 'there, too - nothing serious');
is($saw{errors}, '', 'no faults');

$t->done();

###############################################################################
