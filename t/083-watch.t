#!/usr/bin/perl

# watch: what was launched is asked for until it is final, by nginx itself and
# with the operator's credential, whoever dies meanwhile; and no longer.

###############################################################################

use warnings;
use strict;

use Test::More;

use WebhookTest;

###############################################################################

my $t = WebhookTest->new(workers => 2);
my $api = $t->upstream('api');
my $r = $t->receiver('hook');

$t->file('credential', "Bearer operators-own\n");

$t->http_config(<<'EOF');

map $http_x_target $target_get {
    default        0;
    ~^Api\.Get$    1;
}

webhook_api jobs {
    id       /id;
    state    /status;
    states   LAUNCHED queued;
    states   STARTED running;
    states   FINISHED done;
    updated  /step;

    watch  /api/jobs/$webhook_execution/status?own=1 every=100ms for=1h;
    watch_header  Authorization file:%%TESTDIR%%/credential;
    watch_header  X-Watch yes;
    watch_header  Cookie "sid=1; lang=en";

    route POST /api/jobs { launch; }
    route GET ~^/api/jobs/[^/]+/status$ { }

    route POST ~^/api/of/(?<team>[^/]+)/run$ {
        launch;
        watch  POST /api/query every=100ms
               "body={\"team\":\"$team\",\"job\":\"${webhook_execution}\"}";
    }
    route POST /api/query { }

    # a header says what is asked for, and is no part of what is told

    route POST /api/target when=$target_get {
        goal.id    $http_x_target;
        goal.name  $http_authorization;
    }
    route POST /api/target {
        launch;
        watch         POST /api/target every=100ms;
        watch_header  X-Target Api.Get;
        watch_header  Authorization file:%%TESTDIR%%/credential;
    }

    route POST ~^/api/teams/(?<team>.+)/run$ {
        launch;
        watch  /api/teams/$team/$webhook_execution every=100ms;
    }
    route GET /api/teams/* { }

    route POST,GET ~^/api/named {
        id         "${/space}/${/name}";
        execution  "";
        goal.of    /of;
        watch      /api/named/${execution.space}/${goal.of} every=100ms;
    }

    route POST /api/gone {
        launch;
        watch  /api/gone/$webhook_execution every=100ms;
    }
    route GET ~^/api/gone/(?<gone>\w+)$ status=2xx,404 {
        id     /id $gone;
        state  /status $status;
        states FINISHED 404;
    }

    route POST /api/short { launch; watch /api/short/$webhook_execution
        every=300ms for=1s; }
    route GET /api/short/* { }

    route POST /api/build { launch; each /build; }
    also { launch; each /build/jobs/*;
        watch /api/within/$webhook_execution every=100ms; }
    also { launch; each /build/stages/*; }
    route GET /api/within/* { }

    route POST /api/late { launch; watch /api/late/$webhook_execution
        every=1s; }
    route GET /api/late/* { }

    route POST /api/inside { launch; watch /inside/$webhook_execution
        every=100ms; }
    route GET /inside/* { }

    route POST /api/away { launch; watch /away/$webhook_execution
        every=100ms; }
}

webhook_defaults { events EXECUTION; retry 1s; }

log_format  main  '$request_method $request_uri $webhook_events $webhook_name';
access_log  %%TESTDIR%%/access.log main;

server {
    listen       127.0.0.1:%%PORT_0%%;
    server_name  jobs.example.com;

    location /api/ {
        proxy_pass                 %%URL_api%%;
        proxy_set_header           Host $host;
        proxy_set_header           X-Client $remote_addr;
        proxy_set_header           X-Auth $http_authorization;
        proxy_set_header           X-Language $cookie_lang;
        proxy_set_header           X-Name "-$webhook_name";
        proxy_ignore_client_abort  on;
        webhook_observe            jobs realm=$http_host;
        webhook hook {
            url     %%URL_hook%%/;
            header  X-Seen "$http_x_watch";
            header  X-Auth $http_authorization;
        }
    }

    location /inside/ {
        internal;
        proxy_pass       %%URL_api%%;
        webhook_observe  jobs;
    }

    location /status/ { webhook_status write=on; }
}

server {
    listen       127.0.0.1:%%PORT_1%%;
    server_name  jobs.example.com;

    location / {
        webhook_observe  jobs;
        proxy_pass       %%URL_api%%;
        proxy_ignore_client_abort  on;
    }
}

EOF

$t->run();

###############################################################################

# events of an execution, in order, when there are so many

sub events {
	my ($id, $n, $once) = @_;
	my @events;

	# a killed worker's attempts are made again: by their ids, they are one

	wait_for {
		my %seen;

		@events = map { $_->json->{event} }
			grep { !$once || !$seen{$_->header('webhook-id')}++ }
			grep { $_->json->{execution}{id} eq $id } $r->requests();
		@events >= $n;
	};

	return join ' ', @events;
}

sub asked { return scalar grep { $_->path() eq $_[0] } $api->requests() }

sub job {
	my ($id, $status, %o) = @_;
	return { json => { id => $id, status => $status, %o } };
}

# launched and left alone

$api->set('/api/jobs' => job('a', 'queued'),
	'/api/jobs/a/status' => [ job('a', 'queued'), job('a', 'queued'),
		job('a', 'running', step => 1), job('a', 'running', step => 2),
		{ status => 503 }, job('a', 'done', step => 2) ]);

$t->post('/api/jobs', '{}', headers => [ Authorization => 'Bearer users-own',
	'X-Watch' => 'client' ]);

is(events('a', 4), 'LAUNCHED STARTED UPDATED FINISHED', 'every event');

my @own = grep { $_->path() eq '/api/jobs/a/status' } $api->requests();

is(@own, 6, 'asked until it was final');
is($own[0]->method(), 'GET', 'method');
is($own[0]->target(), '/api/jobs/a/status?own=1', 'URI with its query');
is(join('|', map { $_->header('authorization') } @own),
	join('|', ('Bearer operators-own') x 6), 'the credential of the operator');
is($own[0]->header('x-watch'), 'yes', 'another header');
is($own[0]->header('x-client'), '127.0.0.1', 'address');
is($own[0]->header('host'), 'jobs.example.com', 'the name of the server');
is($own[0]->header('accept-encoding'), 'identity', 'no coding');
is($own[0]->header('x-auth'), 'Bearer operators-own', 'a client of that name');
is($own[0]->header('x-language'), 'en', 'a cookie');
is($own[0]->header('x-name'), '-', 'it is no delivery');
is(scalar(() = $own[0]->header('content-length')), 0, 'no body');

my @got = grep { $_->json->{execution}{id} eq 'a' } $r->requests();

is($got[0]->header('x-seen'), 'client', 'a header of the launch');
is($got[0]->header('x-auth'), 'Bearer users-own', 'another');
is(scalar(() = $got[$_]->header('x-auth')), 0, "no credential in delivery $_")
	for 1 .. 3;

# a client's polls bring the end

$api->set('/api/late' => job('b', 'queued'),
	'/api/late/b' => job('b', 'done'));
$t->post('/api/late', '{}');
$t->get('/api/late/b?client');

is(events('b', 3), 'LAUNCHED STARTED FINISHED', 'a client is faster');

# ... and what is launched next is asked for when that would have been

$api->set('/api/late' => job('c', 'queued'),
	'/api/late/c' => [ job('c', 'running'), job('c', 'done') ]);
$t->post('/api/late', '{}');

is(events('c', 3), 'LAUNCHED STARTED FINISHED', 'the next one');
is(asked('/api/late/b'), 1, 'not asked for');

# POST with a body, captures

$api->set('/api/of/x%22y/run' => job('p"1', 'queued'),
	'/api/query' => job('p"1', 'done'));
$t->post('/api/of/x%22y/run', '{}');

is(events('p"1', 3), 'LAUNCHED STARTED FINISHED', 'by POST');

my ($query) = grep { $_->path() eq '/api/query' } $api->requests();

is($query->method(), 'POST', 'its method');
is($query->body(), '{"team":"x\"y","job":"p\"1"}', 'its body');
is($query->header('content-type'), 'application/json', 'its type');

# one segment of a path each

for my $case ([ 'a%20b', 'x/y?z#%' ], [ '%C3%BC', '1' ]) {
	my ($team, $id) = @$case;

	$api->set("/api/teams/$team/run" => job($id, 'queued'),
		'*' => job($id, 'done'));
	$t->post("/api/teams/$team/run", '{}');

	is(events($id, 3), 'LAUNCHED STARTED FINISHED', "with $id");
}

is(join(' ', map { $_->target() } grep { $_->method() eq 'GET'
	&& $_->target() =~ m!^/api/teams/! } $api->requests()),
	'/api/teams/a%20b/x%2Fy%3Fz%23%25 /api/teams/%C3%BC/1', 'encoded');

# members of the response that has them all

my %named = (space => 'a b', name => 'n', of => 'c/d');

$api->set('/api/named' => job(1, 'queued', %named, of => undef));
$t->post('/api/named', '{}');
is(events('a b/n', 1), 'LAUNCHED', 'launched, and not all is known');

$api->set('/api/named/list' => job(1, 'queued', %named),
	'*' => [ job(1, 'running', %named), job(1, 'done', %named) ]);
$t->get('/api/named/list');
is(events('a b/n', 3), 'LAUNCHED STARTED FINISHED', 'with what a poll shows');

is(join(' ', map { $_->target() } grep { $_->target() =~ m!named/a! }
	$api->requests()), join(' ', ('/api/named/a%20b/c%2Fd') x 2), 'encoded');

# an execution that is gone when it has ended

$api->set('/api/gone' => job('g', 'queued'), '/api/gone/g' => [
	job('g', 'running'), { status => 404, body => 'not found' } ]);
$t->post('/api/gone', '{}');
is(events('g', 3), 'LAUNCHED STARTED FINISHED', 'until there is none');

# what cannot be a segment: an API's users choose ids, and make as many

$t->mark_log();

my @refused = ('.', '..', 'a/../b', '../x', 'x' x 257);
my $watched = $t->get('/status/hooks')->json()->{watch}{executions};

for my $id (@refused) {
	$api->set('/api/jobs' => job($id, 'queued'));
	$t->post('/api/jobs?token=of-the-caller', '{}');
}

is(join(' ', map { events($_, 1) } @refused), 'LAUNCHED' . ' LAUNCHED' x 4,
	'what cannot be asked for');
is($t->get('/status/hooks')->json()->{watch}{executions}, $watched,
	'are not watched');

my $lines = () = $t->grep_log(
	qr/cannot stand in the URI in \S+nginx\.conf:\d+$/);

ok($lines == 1 || $lines == 2, 'said once by a worker') or diag($t->error_log());

unlike($t->error_log(), qr/of-the-caller/, 'nothing of the request in the log');

# "for" is over; a record whose location is internal, or does not observe

$api->set('/api/short' => job('s', 'queued'),
	'/api/short/s' => job('s', 'running'),
	'/api/inside' => job('i', 'queued'), '/inside/i' => job('i', 'done'),
	'/api/away' => job('w', 'queued'));
$t->post("/api/$_", '{}') for qw/ short inside away /;

is(events('s', 2), 'LAUNCHED STARTED', 'asked for in time');
ok($t->wait_log(qr/comes to no location with "webhook_observe"/),
	'no such location');

# something else for long enough, by the same clock

$api->set('/api/jobs' => job('d', 'queued'),
	'/api/jobs/d/status' => [ (job('d', 'running', step => 1)) x 5,
		job('d', 'done') ]);
$t->post('/api/jobs', '{}');
is(events('d', 3), 'LAUNCHED STARTED FINISHED', 'another one');

my $short = asked('/api/short/s');
ok($short >= 1 && $short <= 2, "not asked for any longer: $short");
is(asked('/inside/i'), 0, 'no internal location');

###############################################################################

# what stands within is asked for where it says so itself

$api->set('/api/build' => { json => { build => { id => 'bb', status => 'queued',
	jobs => [ map { { id => $_, status => 'queued' } } qw/ bj bk / ],
	stages => [ { id => 'bs', status => 'queued' } ] } } },
	'/api/jobs/bb/status' => [ job('bb', 'queued'), job('bb', 'done') ],
	map { ("/api/within/$_" => [ job($_, 'running'), job($_, 'done') ]) }
	qw/ bj bk /);
$t->post('/api/build', '{}');

is(events($_, 3), 'LAUNCHED STARTED FINISHED', "within - $_") for qw/ bb bj bk /;
is(events('bs', 1), 'LAUNCHED', 'within - without a line of its own');
is(asked('/api/jobs/bs/status'), 0, 'within - not asked for');
is(asked('/api/jobs/bj/status'), 0, 'within - nor elsewhere');

###############################################################################

# one path for everything: the watch's own header chooses the route

$api->set('/api/target' => [ job('tg', 'queued'), job('tg', 'running'),
	job('tg', 'done') ]);
$t->post('/api/target', '{}');

is(events('tg', 3), 'LAUNCHED STARTED FINISHED', 'by a header');
is(scalar(grep { $_->json->{execution}{id} eq 'tg' && $_->json->{goal} }
	$r->requests()), 0, 'by a header - which is not sent');

###############################################################################

# an answer that sends elsewhere is not followed

$api->set('/api/jobs' => job('x', 'queued'), '/api/jobs/x/status' => [
	{ status => 200, headers => { 'X-Accel-Redirect' => '/inside/x' } },
	job('x', 'done') ], '/inside/x' => job('x', 'running'));
$t->post('/api/jobs', '{}');
is(events('x', 3), 'LAUNCHED STARTED FINISHED', 'after a redirect');
is(asked('/inside/x'), 0, 'not followed');

# large, no JSON, broken, compressed: as when a client asks

$api->set('/api/jobs' => job('l', 'queued'), '/api/jobs/l/status' => [
	{ size => 1000000 }, { body => 'no' }, { drop => 'close' },
	{ %{ job('l', 'running') }, truncate => 5, then => 'close' },
	{ %{ job('l', 'done', x => 'y' x 1000) }, gzip => 1 } ]);
$t->post('/api/jobs', '{}');
is(events('l', 3), 'LAUNCHED STARTED FINISHED', 'after bad answers');

###############################################################################

# whoever dies: the worker that asks is killed while it waits

$api->set('/api/jobs' => job('k', 'queued'), '/api/jobs/k/status' => [
	{ %{ job('k', 'running') }, hold => 1 }, job('k', 'running'),
	job('k', 'done') ]);
$t->post('/api/jobs', '{}');

ok(wait_for { asked('/api/jobs/k/status') }, 'asked');

$t->kill_worker($_, 'KILL') for $t->worker_pids();

is(events('k', 3, 1), 'LAUNCHED STARTED FINISHED', 'workers killed');

# many at once, and reloads

$api->set(map { ("/api/jobs/m$_/status" => [ job("m$_", 'running'),
	job("m$_", 'running'), job("m$_", 'done') ]) } 1 .. 60);

for my $n (1 .. 60) {
	$api->set('/api/jobs' => job("m$n", 'queued'));
	$t->post('/api/jobs', '{}');
	ok($t->reload(), 'reload') if $n == 20 || $n == 60;

	if ($n == 40) {
		like(events("m$n", 1, 1), qr/^LAUNCHED/, 'made');
		$t->kill_worker(($t->worker_pids())[0], 'KILL');
	}
}

is(join(' ', grep { events("m$_", 3, 1) ne 'LAUNCHED STARTED FINISHED' }
	1 .. 60), '', 'all of many');

# one that waits for its answer does not hold up the old workers

$api->set('/api/jobs' => job('o', 'queued'), '/api/jobs/o/status' => [
	{ %{ job('o', 'running') }, hold => 1 }, job('o', 'done') ]);
$t->post('/api/jobs', '{}');
ok(wait_for { asked('/api/jobs/o/status') }, 'asked before a reload');
ok($t->reload(), 'reload');
is(events('o', 3), 'LAUNCHED STARTED FINISHED', 'the new workers go on');
$api->release(10);

###############################################################################

# nginx -t

sub refused {
	my ($lines, $message, $route) = @_;

	$route = 'route POST ~^/run/(?<job>\d+)$ { launch; }'
		unless defined $route;

	my ($ok, $said) = $t->test_config(
		"webhook_api x { id /id; $lines $route }\n");

	ok(!$ok && $said =~ $message, $lines || $route) or diag($said);
}

refused('watch nowhere;', qr/invalid URI "nowhere"/);
refused("watch '/a/{id}';",
	qr/invalid URI "\/a\/\{id\}", what differs is a variable/);
refused('watch /a/:id;',
	qr/invalid URI "\/a\/:id", what differs is a variable/);
refused('watch /a/${goal.b.c};', qr/as "goal\.x \/b\/c;", and/);
refused('watch "/a b";', qr/must be percent-encoded/);
refused('watch HEAD /a;', qr/unusable method "HEAD"/);
refused('watch FETCH /a;', qr/unknown method "FETCH"/);
refused('watch /a body=x;', qr/has a "body=" for GET/);
refused('watch /a every=1ms;', qr/invalid parameter "every=1ms"/);
refused('watch /a every=x;', qr/invalid parameter "every=x"/);
refused('watch /a every=1s every=2s;', qr/duplicate parameter "every=2s"/);
refused('watch /a every=1h for=1m;', qr/less than "every="/);
refused('watch /a other=1;', qr/invalid parameter "other=1"/);
refused('watch /a; watch /b;', qr/"watch" directive is duplicate/);
refused('watch /a/$1;', qr/invalid variable name/);
refused('watch /a/${/id};', qr/no JSON Pointer may stand in "\$\{\}" here/);
refused('watch "/a/${job";', qr/closing bracket/);
refused('watch /a/$arg_x;', qr/needs "\$arg_x", which is no named capture/);
refused('watch /a/${goal.name};',
	qr/needs "\$\{goal.name\}", which no line finds in responses of "route"/);
refused('goal.id /g; watch /a/${goal.name};', qr/needs "\$\{goal.name\}"/);
refused('watch /a; watch_header "A b" c;', qr/invalid name/);
refused('watch /a; watch_header Connection c;', qr/"Connection" is reserved/);
refused('watch /a; watch_header A b; watch_header a c;',
	qr/duplicate header "a"/);
refused('watch /a; watch_header A "";', qr/empty value/);
refused('watch /a; watch_header A file:/nonexistent;', qr/nonexistent" failed/);
refused('', qr/"watch_header" without "watch" for "route"/,
	'route GET / { watch_header A b; }');

my ($ok, $said) = $t->test_config('webhook_api x { id /id; watch /a/$job;
	route GET /list { } route POST ~^/run/(?<job>.+)$ { launch; } }');

ok($ok, 'an outer line is for routes that have what it needs')
	or diag($said);

# what no route takes, and what is the same for all

for (
	[ '/b/$job', 1 ], [ '/jobs', 1 ], [ '/jobs/x', 0 ], [ '/jobs/$job', 0 ],
	[ '/job/$job', 1 ], [ '/jobs$job', 0 ], [ '/j$job/x', 0 ],
	[ 'POST /jobs/$job', 1 ], [ 'POST /query', 0 ], [ 'POST /query?a=$job', 0 ],
	[ 'POST /query/', 1 ], [ 'POST /que$job', 0 ], [ 'POST /que?a=$job', 1 ],
	[ 'PUT /x/$job', 1 ], [ '/old/$job', 1 ], [ '/states/$job', 0 ],
	[ '/states/x1', 0 ], [ '/states/x', 1 ], [ '/stated/$job', 1 ],
	[ '/list', 0 ], [ '/%6aobs/x', 0 ], [ '//jobs/x', 0 ], [ '/./jobs', 0 ],
	[ '/q/one/$job', 0 ], [ '/q/one/5', 'same' ],
	[ '/q$job', 0 ],
	[ '/two/5', 0 ], [ 'POST /q/one/5', 1 ], [ 'PUT /q/one/5 body=$job', 0 ],
	[ 'PUT /q/one/5 body=x', 'same' ], [ '/q/maybe/5', 0 ], [ '/any/5', 0 ],
)
{
	my ($watch, $wrong) = @$_;

	($ok, $said) = $t->test_config("webhook_api x { id /id;
		route POST ~^/run/(?<job>.+)\$ { launch; watch $watch; } # <<
		route GET /jobs/* { } route POST /query { } route * /old/* { ignore; }
		route GET ~^/states/[^/]+\\d\$ { } route GET /list { each /*; }
		route GET ~^/q/maybe/(?<job>.+)\$ when=\$arg_x { id \$job; }
		route GET,PUT ~^/q/(?:one|maybe)/(?<job>.+)\$ { id \$job; }
		route GET ~^/two/(?<job>.+)\$ { id \$job; } also { }
		route GET ~^/any/(?<job>.+)\$ { id \$job /id; } }");

	ok($ok, "watch $watch") or diag($said);

	my $is = !$wrong ? qr/^(?!.*\[warn\])/s
		: $wrong eq 'same' ? qr/asks for the same execution/
		: qr/has no effect, as no "route" of webhook_api "x" takes its requests/;

	like($said, qr/$is/, "watch $watch - " . ($wrong ? 'warned of' : 'right'));
}

for my $regex ('~^/no|/or/', '~*^/JOBS/', '~jobs', '"~^/jobs{0}"', '~^/jx?ob') {
	($ok, $said) = $t->test_config("webhook_api x { id /id; watch /job/\$job;
		route GET $regex { } route POST ~^/run/(?<job>.+)\$ { launch; } }");
	unlike($said, qr/\[warn\]/, "$regex may take it");
}

like($said = ($t->test_config("webhook_api x { id /id;\n\nwatch /y;\n"
	. 'route POST /x { launch; } route POST /z { launch; } }'))[1],
	qr/\[warn\] .* "watch" in \S+:\d+ has no effect/, 'where');
is(() = $said =~ /\[warn\]/g, 1, 'once');

# a value is text

for (['$token', 1], ['Bearer ${token}', 1], ['Bearer a$token', 0],
	['$5', 0], ['Bearer $', 0])
{
	($ok, $said) = $t->test_config("webhook_api x { id /id; watch /a;
		watch_header Authorization \"$_->[0]\";
		route POST /run { launch; } }");

	ok($ok, "header $_->[0]") or diag($said);
	is($said =~ /header "Authorization" looks like a variable/ || 0, $_->[1],
		"header $_->[0] - warned of");
}

$t->done(more => 1);

###############################################################################

# each sort of complaint is said, whatever was said before, and once

$t = WebhookTest->new(workers => 1);
$api = $t->upstream('api');

$t->http_config(<<'EOF');

webhook_api jobs {
    id       /id;
    state    /status;
    states   LAUNCHED queued;
    states   FINISHED done;

    route POST /api/fails { launch; watch /api/broken every=100ms; }
    route GET /api/broken { }
    route POST /api/away { launch; watch /away every=100ms; }
    route POST /api/read { launch; watch /api/unread every=100ms; }
    route POST /api/gone { launch; watch /api/gone every=100ms; }
    route GET /api/gone { }
    route POST /api/ended { launch; watch /api/ends every=100ms; }
    route GET /api/ends { }
}

server {
    listen  127.0.0.1:%%PORT_0%%;

    location /api/ {
        proxy_pass       %%URL_api%%;
        webhook_observe  jobs;
        webhook hook { url http://127.0.0.1:%%PORT_none%%/; retry 1h; }

        location /api/ends {
            return  444;
        }
    }
}

EOF

$t->run();

my @complaints = (fails => qr/answered with status 503/,
	read => qr/no route of webhook_api reads the answer/,
	away => qr/comes to no location with "webhook_observe"/,
	ended => qr/ended the request to the URI in \S+:\d+ without an answer/);

$api->set('/api/broken' => { status => 503 },
	'/api/unread' => job('read', 'queued'));

while (my ($name, $complaint) = splice @complaints, 0, 2) {
	$api->set("/api/$name" => job($name, 'queued'));
	$t->post("/api/$name", '{}');
	ok($t->wait_log($complaint), "said: $name");
}

is(scalar $t->grep_log(qr/webhook watch:/), 4, 'each once');

# an API that is gone for a while, and back: neither a location's fault

$t->quit();
$t->run();
$t->allow(qr/Connection refused|prematurely closed/);

$api->set("/api/gone" => [ job('gone', 'queued'), job('gone', 'running') ]);
$t->post('/api/gone', '{}');
$api->deafen();
$api->close_all();

ok($t->wait_log(qr/"jobs" answered with status 502/), 'said: gone');
is(scalar $t->grep_log(qr/comes to no location/), 0, 'and nothing else');

$api->forget();
$api->listen();
ok($api->wait_requests(1, 10, '/api/gone'), 'asked for when it is back');

$t->done();

###############################################################################
