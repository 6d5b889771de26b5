#!/usr/bin/perl

# Polling the status endpoint: who has the latest answer is told so (304), and
# any change of what an answer shows makes another one.

###############################################################################

use warnings;
use strict;

use Test::More;

use WebhookTest;

###############################################################################

my $t = WebhookTest->new(workers => 2);
my $up = $t->upstream('up');
my $r = $t->receiver('r');

my $conf = <<'EOF2';

webhook_api jobs {
    id /id;
    state /status;
    states FINISHED done;

    route POST /api/jobs { launch; }
    route POST /api/watched { launch; watch /api/jobs/w every=100ms; }
    route GET /api/jobs/* { }
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
            retry   off;
        }

        webhook other {
            url     %%URL_r%%/other;
            events  FINISHED;
        }
    }

    location /status/ {
        webhook_status write=on;
    }
}

EOF2

$t->http_config($conf);
$t->run();

$up->set('/api/jobs' => { json => { id => 1, status => 'new' } });
$up->set('/api/jobs/1' => { json => { id => 1, status => 'new' } });
$t->post('/api/jobs', '{}');

settled(sub { hook('ci')->{delivered} == 1 }, 'a delivery');

my $uuid = $t->get('/status/deliveries')->json->{deliveries}[0]{uuid};
my @paths = ('', qw{ hooks hooks/ci deliveries deliveries?hook=ci&limit=1
	observed observed?reason=events }, "deliveries/$uuid");

###############################################################################

# the same in all workers, for as long as nothing happens

my %tag;

for my $path (@paths) {
	my $first = see($path);

	$tag{$path} = $first->header('ETag');
	like($tag{$path}, qr!^W/"[0-9a-f-]+"$!, "/$path - tag");

	my %seen = map { see($path)->header('ETag') => 1 } 1 .. 10;
	is(join(' ', keys %seen), $tag{$path}, "/$path - the same");

	my $same = see($path, $tag{$path});
	is($same->status, 304, "/$path - 304");
	is($same->body, '', "/$path - 304, no body");
	is($same->header('ETag'), $tag{$path}, "/$path - 304, tag");
	is($same->header('Cache-Control'), 'no-store', "/$path - 304, cache");
	is($same->header('Content-Type'), undef, "/$path - 304, type");
	is($same->header('Content-Length'), undef, "/$path - 304, length");
}

is(see('hooks', qq("a", $tag{hooks}, W/"b"))->status, 304, 'a list of tags');
is(see('hooks', substr($tag{hooks}, 2))->status, 304, 'a strong one');
is(see('hooks', '"a"')->status, 200, 'another tag');
is(see('hooks', substr($tag{hooks}, 0, -2) . '"')->status, 200,
	'a part of it');
is(see('hooks', '')->status, 200, 'none');

is($t->head('/status/hooks', headers => [ 'If-None-Match' => $tag{hooks} ])
	->status, 304, 'HEAD');

my $c = $t->connect();
my $n = 0;

for (1 .. 3) {
	$n++ if $c->request('GET', '/status/hooks', headers => [
		'If-None-Match' => $tag{hooks} ])->status == 304;
}

is($n, 3, 'a connection that is kept');

# where there is none

is(see($_)->header('ETag'), undef, "/$_ - no tag")
	for qw{ metrics hooks/none deliveries/none deliveries?limit=x none };

is($t->get('/status/', headers => [ Accept => 'text/html' ])->header('ETag'),
	undef, 'the page - no tag');
is($t->get('/status/', headers => [ Accept => 'text/html',
	'If-None-Match' => $tag{''} ])->status, 200, 'the page - no 304');

###############################################################################

# what changes is told

changed('nothing', [ ]);

# a client may have its answer before that is seen

my $seen = observed();

$t->get('/api/jobs/1');
settled(sub { observed() == $seen + 1 }, 'observed');
changed('an observation', [ grep { /observed/ } @paths ]);

my @lists = grep { !/observed/ } @paths;

action('hooks/other/pause');
changed('a pause', \@lists);

$up->set('/api/jobs/1' => { json => { id => 1, status => 'done' } });
$t->get('/api/jobs/1');
settled(sub { observed() == $seen + 2 && hook('other')->{waiting} == 1 },
	'waiting');
changed('an event that waits', \@paths);

action('hooks/other/resume');
settled(sub { hook('other')->{delivered} == 1 }, 'delivered');
changed('a delivery', \@lists);

$r->set('/ci' => { status => 500 });
action("deliveries/$uuid/redeliver");
settled(sub { hook('ci')->{failed} == 1 }, 'failed');
changed('a failure', \@lists);

ok($t->reload(), 'reload');
settled(sub { hook('ci')->{name} }, 'reload - status');
changed('a reload', \@paths);

# /hooks has more than webhooks: what is watched

$up->set('/api/watched' => { json => { id => 'w', status => 'new' } });
$up->set('/api/jobs/w' => { json => { id => 'w', status => 'new' } });
$t->post('/api/watched', '{}');

settled(sub { hook('ci')->{failed} == 2 }, 'watched');

$tag{$_} = see($_)->header('ETag') for @paths;

settled(sub { see('hooks', $tag{hooks})->status == 200 },
	'a request of watch');
is(see('deliveries', $tag{deliveries})->status, 304,
	'a request of watch - no delivery');

# each answer while things happen has what its tag says: who asks with it once
# all is over, and gets 304, had missed nothing

$r->set('/ci' => { status => 204 });

my $body = '';
my $tag = '';
my $delivered = hook('ci')->{delivered};

for my $id (2 .. 40) {
	$up->set('/api/jobs' => { json => { id => $id, status => 'new' } });
	$t->post('/api/jobs', '{}');

	my $answer = see('deliveries?limit=100', $tag);
	next if $answer->status == 304;

	$body = $answer->body;
	$tag = $answer->header('ETag');
}

settled(sub { hook('ci')->{delivered} == $delivered + 39 }, 'over');

my $last = see('deliveries?limit=100', $tag);
$body = $last->body if $last->status != 304;

is($body, see('deliveries?limit=100')->body, 'nothing missed');

$t->done(more => 1);

###############################################################################

# a filter that matches little: an answer looks at so many, and says how to go
# on

my $many = WebhookTest->new(workers => 1);

$up = $many->upstream('up');

$many->http_config(<<'EOF3');

webhook_zone zone=webhooks:64m;

webhook_api jobs {
    id /id;
    state /status;
    route POST /api/many { launch; each /jobs/*; }
}

server {
    listen 127.0.0.1:%%PORT_0%%;
    server_name localhost;

    location /api/ {
        proxy_pass %%URL_up%%;
        proxy_ignore_client_abort on;
        webhook_observe jobs;

        webhook ci {
            url     http://127.0.0.1:%%PORT_closed%%/;
            events  LAUNCHED;
            queue   30000;
        }
    }

    location /status/ {
        webhook_status write=on;
    }
}

EOF3

$many->port('closed');
$many->run();
$many->post('/status/hooks/ci/pause', '',
	headers => [ 'X-Webhook-Write' => 1 ]);

for my $k (0 .. 17) {
	$up->set('/api/many' => { json => { jobs => [
		map { { id => "n" . ($k * 1000 + $_) } } 1 .. 1000 ] } });
	$many->post('/api/many', '{}');
}

is($many->get('/status/hooks/ci')->json->{waiting}, 18000, 'many');

my ($pages, $after, @found) = (0, '');

do {
	my $page = $many->get("/status/deliveries?execution=n1$after")->json;

	push @found, @{ $page->{deliveries} };
	$after = $page->{next} ? "&after=$page->{next}" : '';
	$pages++;
} while ($after && $pages < 10);

is($found[0]{execution}, 'n1', 'the oldest of many');
is(@found, 1, 'and it alone');
is($pages, 2, 'in two answers');

$many->done();

###############################################################################

sub see {
	my ($path, $tag) = @_;

	return $t->get("/status/$path", headers => [
		defined $tag ? ('If-None-Match' => $tag) : () ]);
}

sub settled {
	my ($condition, $name) = @_;

	my $done = wait_for { $condition->() };
	ok($done, $name);
}

sub observed {
	return scalar @{ $t->get('/status/observed')->json->{observed} };
}

# exactly these have another tag than last time

sub changed {
	my ($what, $paths) = @_;

	my @now;

	for my $path (@paths) {
		my $answer = see($path, $tag{$path});

		push @now, $path if $answer->status == 200;
		$tag{$path} = $answer->header('ETag');
	}

	is(join(' ', @now), join(' ', @$paths), $what);
}

sub action {
	return $t->post("/status/$_[0]", '',
		headers => [ 'X-Webhook-Write' => 1 ]);
}

sub hook { $t->get("/status/hooks/$_[0]")->json }

###############################################################################
