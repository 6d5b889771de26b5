#!/usr/bin/perl

# The page, in a real browser: it lives, filters, unfolds, acts; what comes
# from outside runs nothing, and the copied curl is harmless in a shell.

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

my $hostile = q{</pre><script>window.hit=1</script><img src=x onerror=hit=2>}
	. q{'"`$(touch %%TESTDIR%%/hit)`touch %%TESTDIR%%/hit`;${hit}{{7*7}}\\}
	. "\x{1}\x{7f}";
$hostile = $t->expand($hostile);

$t->http_config(<<'EOF');

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

        webhook ci {
            url          %%URL_r%%/ci;
            events       LAUNCHED;
            description  "<b>bold</b>";
            secret       whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw;
        }

        webhook other {
            url          %%URL_r%%/other;
            events       LAUNCHED;
            description  https://wiki.example.com/receivers/other/what-to-do-when-it-fails;
            retry        off;
        }
    }

    location /status/ {
        webhook_status write=on;
    }

    location /read {
        webhook_status;
    }
}

EOF

$r->set('/ci' => { status => 200, body => $hostile,
	headers => { 'X-Hostile' => '<script>hit=3</script>' } });
$r->set('/other' => { status => 500 });

$t->run();

launch('first');
launch($hostile);

ok($r->wait_requests(4), 'deliveries are there');

my $page = $t->get('/status/', headers => [ Accept => 'text/html' ]);

is($page->status, 200, 'page');
is($page->header('Content-Type'), 'text/html; charset=utf-8', 'type');
is($page->header('X-Content-Type-Options'), 'nosniff', 'nosniff');
is($page->header('Cache-Control'), 'no-store', 'no-store');
like($page->header('Content-Security-Policy'),
	qr/^default-src 'none'; script-src 'sha256-[^']+';/, 'policy');
like($page->header('Content-Security-Policy'),
	qr/; require-trusted-types-for 'script'$/, 'policy - no markup of text');
unlike($page->body, qr!(src|href)=!, 'nothing is loaded');
is($t->get('/status/', headers => [ Accept => 'application/json' ])
	->header('Content-Type'), 'application/json', 'JSON for others');

###############################################################################

# what the page itself launches

$up->set('/api/jobs' => { json => { id => 'second', status => 'new' } });

my %saw = visit($t, 'page.js', {});

is($saw{hooks}, 2, 'webhooks');
is($saw{rows}, 4, 'deliveries');
is($saw{live}, 6, 'new ones come by themselves');
is($saw{filtered}, 3, 'filter');
like($saw{url} || '', qr/hook=ci/, 'filter - in the url');
is($saw{reloaded}, 3, 'filter - after loading again');
is($saw{found}, 1, 'found in the payload');
is($saw{unfolded}, 1, 'unfolded by keyboard');
is($saw{folded}, 0, 'folded');
is($saw{keys}, 1, 'list of keys');
cmp_ok($saw{observed}, '>=', 3, 'responses that were looked at');
is($saw{hit}, 'undefined', 'nothing ran');
is($saw{scripts}, 1, 'no element came from outside');
is($saw{bold}, 0, 'no markup either');
is($saw{pinged}, 1, 'ping');
is($saw{paused}, 'paused', 'pause');
is($saw{resumed}, 'healthy', 'resume');
is($saw{again}, 2, 'sent again');
is($saw{read_only}, 0, 'no buttons without write=on');
is($saw{slashes}, 2, 'two slashes before its path');
is($saw{width}, 360, '360 px are enough');
is($saw{dark}, 'rgb(13, 17, 23)', 'dark');
is($saw{$_}, '', "$_ - nothing serious")
	for qw/ axe axe_unfolded axe_dialog axe_dark /;
is($saw{errors}, '', 'no errors in the console');

# the copied curl, in a shell: the receiver gets the very payload

my $curl = read_file($t->dir . '/curl');
my $before = $r->requests;

like($curl, qr/^curl /, 'a curl command');
is(system('sh ' . $t->dir . '/curl >/dev/null 2>&1'), 0, 'curl in a shell');

my @got = $r->wait_requests($before + 1);
is($got[-1]->json->{execution}{id}, $hostile, 'curl - the payload');
ok(!-e $t->dir . '/hit', 'curl - nothing else ran');

$t->done();

###############################################################################

sub launch {
	my ($id) = @_;

	$up->set('/api/jobs' => { json => { id => $id, status => 'new' } });

	return $t->post('/api/jobs', '{}');
}

###############################################################################
