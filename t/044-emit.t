#!/usr/bin/perl

# From a response to what receivers get: which events, in what order, for which
# webhooks, with which payloads and headers; and that what was read before is
# not read again.

###############################################################################

use warnings;
use strict;

use MIME::Base64;
use Test::More;

use WebhookTest;

###############################################################################

my $t = WebhookTest->new(workers => 2);
my $up = $t->upstream('up');
my $r = $t->receiver('ci');
my $dir = $t->dir();

$t->http_config(<<'EOF');

proxy_cache_path %%TESTDIR%%/cache keys_zone=cache:1m;

log_format events '$request_method $request_uri events=$webhook_events';
access_log %%TESTDIR%%/access.log events;

webhook_defaults { events EXECUTION; }

webhook_api test {
    id          /id;
    execution   "";
    project     /project;
    sender.name $remote_user;
    state       /status;
    states      LAUNCHED queued;
    states      STARTED running;
    states      FINISHED done;
    updated     /step;
    omit        /bulk;

    route POST /jobs        { launch; }
    route POST /cached/*    { rerun; }
    route GET  /list        { each /items/*; }
    route POST /status      { }
    route GET  ~^/(jobs|nobody|digest|cached)/ { }
}

server {
    listen 127.0.0.1:%%PORT_0%%;
    server_name localhost;

    error_log %%TESTDIR%%/debug.log debug;

    webhook_observe test;
    proxy_ignore_client_abort on;

    location / {
        proxy_pass %%URL_up%%;
        client_body_buffer_size 1k;

        webhook all { url %%URL_ci%%/all; }
        webhook same { url %%URL_ci%%/same; content_type
            application/x-www-form-urlencoded; }
        webhook final { url %%URL_ci%%/final; events FINISHED; }
        webhook project { url %%URL_ci%%/project; match /project/id 4889; }
        webhook asleep { url %%URL_ci%%/asleep; active off; }
        webhook members {
            url %%URL_ci%%/members;
            match /organization/name Acme;
            member organization.name Acme;
            member project.id 7;
        }
        webhook greedy {
            url %%URL_ci%%/greedy;
            match /execution/note "~^(a+)+$";
        }
        webhook unless {
            url %%URL_ci%%/unless;
            match /execution/note *;
            match /execution/note "!~^(a+)+$";
        }
        webhook noted {
            url %%URL_ci%%/noted;
            match /execution/note ~!$;
        }
        webhook headers {
            url %%URL_ci%%/headers;
            header X-Constant constant;
            header X-Trace $http_x_trace;
            header X-Both "trace $http_x_trace of $request_method";
            header X-Missing $http_x_missing;
            events LAUNCHED;
        }
    }

    location /nobody/ {
        proxy_pass %%URL_up%%;
    }

    location /cached/ {
        proxy_pass %%URL_up%%;
        proxy_cache cache;
        proxy_cache_valid 1h;
        proxy_cache_revalidate on;
        add_header X-Cache $upstream_cache_status;
    }
}

EOF

$t->run();

###############################################################################

my $taken = 0;

sub got {
	my ($n) = @_;

	my @all = $r->wait_requests($taken + $n);
	my %of;

	push @{ $of{$_->path()} }, $_ for @all[$taken .. $#all];
	$taken = @all;

	return %of;
}

sub names { return join ' ', map { $_->json->{event} } @{ $_[0] || [] } }

my $job = { id => 'a', status => 'queued', step => 1, bulk => 'x' x 1000,
	project => { id => 4889, name => 'P' }, apiToken => 's3same' };

# launched

$up->set('/jobs' => { status => 201, json => $job });
$t->post('/jobs', '{}', headers => [ 'X-Trace' => 'abc', Authorization =>
	'Basic YWxpY2U6cGFzcw==' ]);

my %of = got(5);

is(join(' ', sort keys %of), '/all /headers /members /project /same',
	'webhooks that want LAUNCHED');

my $all = $of{'/all'}[0];
my $json = $all->json;

is($json->{type}, 'EXECUTION', 'type');
is($json->{event}, 'LAUNCHED', 'event');
is($json->{execution}{id}, 'a', 'execution');
is($json->{execution}{bulk}, undef, 'omitted');
is($json->{execution}{apiToken}, '***', 'redacted');
is($json->{project}{name}, 'P', 'project');
is($json->{sender}{name}, 'alice', 'sender');
is($json->{organization}, undef, 'no organization');
is($all->header('x-webhook-sequence'), 1, 'sequence');
is($all->header('x-webhook-event'), 'LAUNCHED', 'event, header');
unlike($all->body, qr/s3same|YWxpY2U|pass/, 'no secret');
like($all->body, qr/^\{"type":"EXECUTION","event":"LAUNCHED","execution":/,
	'order of members');

like($of{'/same'}[0]->body, qr/^payload=%7B%22type%22/, 'as a form');

$json = $of{'/members'}[0]->json;
is($json->{organization}{name}, 'Acme', 'member of the webhook');
is($json->{project}{id}, 4889, 'not in place of what there is');

my %uuid = map { $of{$_}[0]->header('x-webhook-delivery') => 1 } keys %of;
is(keys %uuid, 5, 'each webhook has ids of its own');

my $h = $of{'/headers'}[0];
is($h->header('x-constant'), 'constant', 'a header');
is($h->header('x-trace'), 'abc', 'a header from a variable');
is($h->header('x-both'), 'trace abc of POST', 'a header with variables');
is(scalar(() = $h->header('x-missing')), 0, 'an empty header is left out');

# the same answer once more

$t->post('/jobs', '{}');

# a header with a control byte

$job->{id} = 'b';
$job->{project}{id} = 5;
$up->set('/jobs' => { json => $job });
$t->post('/jobs', '{}', headers => [ 'X-Trace' => "a\tb" ]);

%of = got(4);

is(join(' ', sort keys %of), '/all /headers /members /same',
	'nothing twice; no match');
is(scalar(() = $of{'/headers'}[0]->header($_)), 0, "$_ dropped")
	for qw/ x-trace x-both /;
is($of{'/headers'}[0]->header('x-constant'), 'constant', 'others stay');

# a regex that needs too much is its own webhook's trouble

$job->{id} = 'noted';
$job->{note} = 'a' x 40 . '!';
$up->set('/jobs' => { json => $job });
$t->post('/jobs', '{}');
delete $job->{note};

%of = got(5);

is(join(' ', sort keys %of), '/all /headers /members /noted /same',
	'another regex is judged all the same');

# a user that looks like what an integer of 64 bits is here

for my $name ("\0007", "\0000123", "\xff\0") {
	$job->{id} = 'user' . unpack 'H*', $name;
	$up->set('/jobs' => { json => $job });
	$t->post('/jobs', '{}', headers => [ Authorization => 'Basic '
		. encode_base64("$name:pass", '') ]);

	%of = got(4);
	my $sent = eval { $of{'/all'}[0]->json };

	my $shown = $name =~ s/^[\0\xff]/\x{fffd}/r;
	is($sent && $sent->{sender}{name}, $shown, 'the name of a user');
	like($of{'/all'}[0]->body, qr/"sender":\{"name":"/, 'a string');
}

# started, updated, finished

$job->{id} = 'a';
$job->{project}{id} = 4889;

for my $step ([ running => 1, 'STARTED' ], [ running => 2, 'UPDATED' ],
	[ running => 2, '' ], [ running => 3, 'UPDATED' ], [ done => 3, 'FINISHED' ],
	[ done => 4, '' ])
{
	my ($status, $n, $event) = @$step;

	$job->{status} = $status;
	$job->{step} = $n;
	$up->set('/jobs/a' => { json => $job });
	$t->get('/jobs/a');

	next unless $event;

	%of = got($event eq 'FINISHED' ? 5 : 4);
	is(names($of{'/all'}), $event, "$status, $n: $event");
	is($of{'/all'}[0]->json->{execution}{step}, $n, 'with that document');
	is(join(' ', sort keys %of), $event eq 'FINISHED'
		? '/all /final /members /project /same'
		: '/all /members /project /same', 'for those that want it');
}

# seen final at once: what was skipped, in order

$up->set('/jobs/b' => { json => { id => 'b', status => 'done' } });
$t->get('/jobs/b');

%of = got(7);
is(names($of{'/all'}), 'STARTED FINISHED', 'what was skipped');
is(join(' ', map { $_->header('x-webhook-sequence') } @{ $of{'/all'} }),
	'2 3', 'in order');
is(names($of{'/final'}), 'FINISHED', 'the last alone');
is($of{'/members'}[1]->json->{project}{id}, 7, 'a member that is missing');

# where nobody listens the state is kept all the same

$up->set("/nobody/c" => { json => { id => 'c', status => 'running' } },
	'/jobs/c' => [ { json => { id => 'c', status => 'running' } },
		{ json => { id => 'c', status => 'done' } } ]);
$t->get('/nobody/c');
like($t->access_log(), qr!^GET /nobody/c events=1$!m, 'counted')
	if wait_for { $t->access_log() =~ m!/nobody/c events! };
$t->get('/jobs/c');
$t->get('/jobs/c');

%of = got(4);
is(names($of{'/all'}), 'FINISHED', 'seen before where nobody listened');

# a list

$up->set('/list' => { json => { items => [ map { { id => "l$_",
	status => 'running' } } 1 .. 100 ] } });
$t->get('/list');

%of = got(300);
is(@{ $of{'/all'} }, 100, 'an event for each of a list');
is(join(' ', sort map { $_->json->{execution}{id} } @{ $of{'/all'} }),
	join(' ', sort map { "l$_" } 1 .. 100), 'all of them');

# many at once

$up->set('/jobs/z' => { delay => 200, json => { id => 'z',
	status => 'running' } });

my @clients = map { $t->connect() } 1 .. 20;
$_->send_request('GET', '/jobs/z') for @clients;
$_->read_response() for @clients;

%of = got(3);
is(names($of{'/all'}), 'STARTED', 'once, of twenty at once');

###############################################################################

# what has been read is not read again

sub skipped {
	my ($method, $uri, %o) = @_;

	my $before = length read_file("$dir/debug.log");
	my $result;

	$t->request($method, $uri, %o);

	# others' lines may still come: clients have their answers before that

	wait_for {
		my $log = substr read_file("$dir/debug.log"), $before;

		my ($own) = $log =~ /(\*\d+) http request line: "$method \Q$uri\E /
			or return;
		my ($said) = $log =~ /\Q$own\E webhook observe (gave up: \d+|read)/
			or return;

		$result = $said eq 'read' ? 'read'
			: $said eq 'gave up: 1' ? 'skipped' : 'given up';
	};

	return $result;
}

my $doc = { json => { id => 'd', status => 'running' } };

$up->set('/digest/d' => $doc, '/digest/other' => $doc,
	'/digest/e' => { json => { id => 'e', status => 'running' } });

is(skipped(GET => '/digest/d'), 'read', 'a change');
is(skipped(GET => '/digest/d'), 'read', 'no change');
is(skipped(GET => '/digest/d'), 'skipped', 'the same again');
is(skipped(GET => '/digest/d?x'), 'read', 'another query');
is(skipped(GET => '/digest/other'), 'read', 'another path');
is(skipped(GET => '/digest/d'), 'skipped', 'the same still');
is(skipped(GET => '/digest/d', headers => [ Authorization =>
	'Basic YWxpY2U6cGFzcw==' ]), 'read', 'another user');
is(skipped(GET => '/digest/d'), 'read', 'one user again');
is(skipped(GET => '/digest/d'), 'skipped', 'and again');

$up->set('/digest/d' => { %$doc, chunked => 5 });
is(skipped(GET => '/digest/d'), 'skipped', 'in other pieces');

is(skipped(GET => '/digest/e'), 'read', 'another execution starts');
is(skipped(GET => '/digest/d'), 'read', 'which makes digests void');
is(skipped(GET => '/digest/d'), 'skipped', 'until the next time');

# bodies

$up->set('/status' => $doc);

my $small = 'x' x 500;
my $large = 'x' x 5000;

is(skipped(POST => '/status', body => $small), 'read', 'POST');
is(skipped(POST => '/status', body => $small), 'skipped', 'POST, the same');
is(skipped(POST => '/status', body => "y$small"), 'read', 'POST, another body');
is(skipped(POST => '/status', body => $large), 'read', 'POST, in a file');
is(skipped(POST => '/status', body => $large), 'read', 'always');
is(skipped(POST => '/status', body => ''), 'read', 'POST, no body');
is(skipped(POST => '/status', body => ''), 'skipped', 'POST, no body again');
is(skipped(POST => '/status', headers => [ 'Transfer-Encoding' => 'chunked' ],
	body => "1\r\nx\r\n0\r\n\r\n"), 'read', 'POST, chunked');
is(skipped(POST => '/status', headers => [ 'Transfer-Encoding' => 'chunked' ],
	body => "1\r\nx\r\n0\r\n\r\n"), 'read', 'always');

$up->set('/jobs' => { json => { id => 'd', status => 'running' } });
is(skipped(POST => '/jobs', body => ''), 'read', 'a launch') for 1 .. 3;

# an answer that was asked for before a run began says nothing about that run;
# the same again, asked for in it, does

sub caused {
	my ($method, $uri) = @_;

	my $before = length $t->access_log();
	my $cache = $t->request($method, $uri)->header('x-cache') || '';

	return logged("$method $uri", $before) . " $cache";
}

# how many events a request caused; its answer, which a client has before, is in
# the cache by then, for another worker, too

sub logged {
	my ($request, $from) = @_;

	my $events;

	wait_for {
		($events) = substr($t->access_log(), $from)
			=~ m!^\Q$request\E events=(\d+)$!m;
	};

	return $events;
}

sub runs {
	my ($id, $status, $step) = @_;

	$step ||= 1;

	return body => qq/{"id":"$id","status":"$status","step":$step}/;
}

# what is cached is as old as the second that it came in, so that the answer that
# is late should come in the one that the other run begins in

my ($n, $late, $same, @caused) = (0, $t->connect());

do {
	my $id = 'x' . $n++;
	my $uri = "/cached/$id";

	$up->set($uri => { runs($id, 'running') });
	@caused = caused(GET => "$uri?1");

	$up->set($uri => { runs($id, 'done'), hold => 1 });
	$late->send_request('GET', "$uri?late");
	wait_for { $up->requests($uri) == 2 };

	$up->set($uri => { runs($id, 'done') });
	push @caused, caused(GET => $uri);

	$up->set($uri => { runs($id, 'queued') });

	my $second = time();

	push @caused, caused(POST => $uri), caused(GET => $uri);

	$up->release();
	$late->read_response();
	$same = time() == $second;

	push @caused, logged("GET $uri?late", 0),
		caused(GET => "$uri?late");

	$up->set($uri => { runs($id, 'done') });
	push @caused, caused(GET => "$uri?2");

} until $same || $n == 20;

is_deeply(\@caused, [
	'1 MISS',	# a run
	'1 MISS',	# its end
	'1 ',		# another run
	'0 HIT',	# the end of the first, from a cache
	'0',		# the same, late
	'0 HIT',	# the same, late, from a cache
	'2 MISS',	# the end of the second
], 'two runs, and an answer that is late');

$up->set('/cached/late' => { runs('late', 'running') },
	'/nobody/late' => { runs('late', 'done'), hold => 1 });
is(caused(GET => '/cached/late'), '1 MISS', 'a run');
$late->send_request('GET', '/nobody/late');
wait_for { $up->requests('/nobody/late') };

$up->set('/cached/late' => { runs('late', 'done') });
is(caused(GET => '/cached/late?1'), '1 MISS', 'its end');

$up->set('/cached/late' => { runs('late', 'queued') });
is(caused(POST => '/cached/late'), '1 ', 'another run');

$up->release();
$late->read_response();
is(logged('GET /nobody/late', 0), 0, 'the end of the first, late');
$up->set('/nobody/late' => { runs('late', 'done') });
is(caused(GET => '/nobody/late'), '2 ', 'the answer that was late, in time');

# what is cached is not newer than what was seen since

$up->set('/cached/u' => { runs('u', 'running') });
is(caused(GET => '/cached/u?1'), '1 MISS', 'STARTED');
$up->set('/cached/u' => { runs('u', 'running', 2) });
is(caused(GET => '/cached/u?2'), '1 MISS', 'UPDATED');
is(caused(GET => "/cached/u?$_"), '0 HIT', 'no UPDATED') for 1, 2, 1;

# unless the API said that it is

$up->set('/cached/r' => { runs('r', 'running') });
is(caused(GET => '/cached/r?1'), '1 MISS', 'a run');
$up->set('/cached/r' => { runs('r', 'done'), headers => { ETag => '"r"',
	'Cache-Control' => 'max-age=1' } });
is(caused(GET => '/cached/r'), '1 MISS', 'its end');
$up->set('/cached/r' => { runs('r', 'queued') });
is(caused(POST => '/cached/r'), '1 ', 'another run');
$up->set('/cached/r' => { status => 304, body => '', headers => {
	ETag => '"r"' } });

my $now;
wait_for { ($now = caused(GET => '/cached/r')) ne '0 HIT' };
is($now, '2 REVALIDATED', 'its end, revalidated');

# a new configuration reads anew

is(skipped(GET => '/digest/d'), 'read', 'after the launch');
is(skipped(GET => '/digest/d'), 'skipped', 'skipped before a reload');
ok($t->reload(), 'reload');
is(skipped(GET => '/digest/d'), 'read', 'read after it');

$t->done();

###############################################################################
