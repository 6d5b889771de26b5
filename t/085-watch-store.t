#!/usr/bin/perl

# watch with a store: whoever dies, what was launched is asked for until it is
# final; what has ended leaves no row.

###############################################################################

use warnings;
use strict;

use Test::More;

use WebhookTest;
use WebhookTest::Store;

###############################################################################

store_available() or plan skip_all => 'built without webhook_store';

my $t = WebhookTest->new(workers => 2);
my $api = $t->upstream('api');
my $r = $t->receiver('hook');

$t->http_config(<<'EOF');

webhook_store %%TESTDIR%%/store;

webhook_api jobs {
    id      /id;
    state   /status;
    states  LAUNCHED queued;
    states  FINISHED done;

    route POST ~^/api/of/(?<team>[^/]+)/jobs$ {
        launch;
        watch  POST /api/of/$team/query every=100ms for=1h
               "body={\"job\":\"$webhook_execution\"}";
    }
    route POST ~^/api/of/[^/]+/query$ { }
    route GET /api/jobs/* { }
}

server {
    listen  127.0.0.1:%%PORT_0%%;

    location /api/ {
        proxy_pass                 %%URL_api%%;
        proxy_ignore_client_abort  on;
        webhook_observe            jobs realm=$http_x_realm;
        webhook hook { url %%URL_hook%%/; events EXECUTION; }
    }

    location /status/ { webhook_status; }
}

EOF

$t->run();

###############################################################################

sub events {
	my ($id, $n) = @_;
	my @events;

	wait_for {
		my %seen;
		@events = map { $_->json->{event} }
			grep { !$seen{$_->header('X-Webhook-Delivery')}++ }
			grep { $_->json->{execution}{id} eq $id } $r->requests();
		@events >= $n;
	};

	return join ' ', @events;
}

sub job { return { json => { id => $_[0], status => $_[1] } } }

sub sql {
	my ($status, $said) = $t->output('sqlite3', '-cmd', '.timeout 5000',
		(glob $t->dir() . '/store/*.db')[0], $_[0]);

	chomp $said;

	return $status == 0 ? $said : "failed: $said";
}

sub launch {
	my ($team, $id) = @_;

	$api->set("/api/of/$team/jobs" => job($id, 'queued'));
	$t->post("/api/of/$team/jobs", '{}', headers => [ 'X-Realm' => 'r' ]);
}

# asked for, and running, when all is killed

$api->set('/api/of/a/query' => job('a', 'running'),
	'/api/of/b%20c/query' => job('b', 'running'),
	'/api/of/e/query' => job('e', 'done'));
launch('a', 'a');
launch('b%20c', 'b');
launch('e', 'e');

is(events('a', 2), 'LAUNCHED STARTED', 'one runs');
is(events('b', 2), 'LAUNCHED STARTED', 'another');
is(events('e', 3), 'LAUNCHED STARTED FINISHED', 'one is final');

ok(wait_for { sql('SELECT count(*) FROM watches') eq '2' },
	'those that run are on disk') or diag(sql('SELECT * FROM watches'));

$t->crash();

$api->set('/api/of/a/query' => [ job('a', 'running'), job('a', 'done') ],
	'/api/of/b%20c/query' => job('b', 'done'));
$api->forget();
$t->run();

is(events('a', 3), 'LAUNCHED STARTED FINISHED', 'asked for after the crash');
is(events('b', 3), 'LAUNCHED STARTED FINISHED', 'and so is the other');

my ($asked) = grep { $_->path =~ /b%20c/ } $api->requests();
is($asked->target, '/api/of/b%20c/query', 'at the same URI');
is($asked->body, '{"job":"b"}', 'with the same body');
is(scalar(grep { $_->path =~ m!/e/! } $api->requests()), 0,
	'what was final is not asked for');

ok(wait_for { sql('SELECT count(*) FROM watches') eq '0' }, 'no row is left');

# a graceful end, and a reload on the way

$api->set('/api/of/g/query' => job('g', 'running'));
launch('g', 'g');
is(events('g', 2), 'LAUNCHED STARTED', 'one more');
ok($t->reload(), 'reload');
ok(wait_for { sql('SELECT count(*) FROM watches') eq '1' }, 'on disk');
ok($t->quit(), 'a graceful end');
$api->set('/api/of/g/query' => job('g', 'done'));
$t->run();
is(events('g', 3), 'LAUNCHED STARTED FINISHED', 'asked for after it');

# what was under way in the crash may have come twice, under one id

my %ends = map { ($_->header('X-Webhook-Delivery') => 1) }
	grep { $_->json->{event} eq 'FINISHED' } $r->requests();
is(scalar keys %ends, 4, 'each end was told once');

$t->done();

###############################################################################
