#!/usr/bin/perl

# enrich: members that responses lack are asked for with the caller's own
# credentials, once, and kept for him alone; what fails or is slow costs the
# member, never the event, nor the client's time.

###############################################################################

use warnings;
use strict;

use Test::More;
use Time::HiRes qw/ time /;

use WebhookTest;

###############################################################################

my $t = WebhookTest->new(workers => 1);
my $api = $t->upstream('api');
my $r = $t->receiver('hook');

$t->file('key', "operators-own\n");

$t->http_config(<<'EOC');

webhook_buffer_size 16k;

webhook_api runs {
    id       /id;
    state    /status;
    states   LAUNCHED queued;
    states   STARTED running;
    states   FINISHED done "~^(a+)+$";
    updated  /step;

    goal.id  /goalId;

    enrich  goal.name        /api/goals/${goal.id}
            pointer=/item/name pointer=/name;
    enrich  project.id       /api/goals/${goal.id} pointer=/item/projectId
            pointer=/projectId;
    enrich  project.name     /api/projects/${project.id};
    enrich  organization.id  /api/projects/${project.id}
            pointer=/organizationId;
    enrich_header  X-Api-Key;

    route POST /api/runs { launch; }
    route GET /api/runs/* { }

    route POST ~^/api/of/(?<team>[^/]+)$ {
        launch;
        enrich  snapshot      /api/teams/$team/of/$webhook_execution?x=1;
        enrich  project       /api/projects/1 ttl=0;
    }

    route POST /api/both { launch;
        enrich  project        /api/whole/1 ttl=0;
        enrich  project.extra  /api/part/1;
        enrich  snapshot.id    /api/after/${project.extra}; }

    route POST /api/short { launch;
        enrich  project.name  /api/short/${goal.id} ttl=1s; }

    route POST /api/watched { launch;
        watch  /api/runs/$webhook_execution every=100ms; }
    watch_header  X-Api-Key file:%%TESTDIR%%/key;
    watch_header  X-Other yes;
    watch_header  Host watch.example.com;

    route POST /api/limit { launch;
        enrich project /api/limited/$webhook_execution ttl=0; }
    route POST /api/away { launch; enrich project /away/${goal.id}; }
    route POST /api/inside { launch; enrich project /inside/1; }
}

webhook_defaults { events EXECUTION; retry 1s; }

limit_req_zone   $binary_remote_addr zone=slow:1m rate=1r/m;
limit_conn_zone  $binary_remote_addr zone=one:1m;

server {
    listen       127.0.0.1:%%PORT_0%%;
    server_name  runs.example.com;

    set_real_ip_from  127.0.0.1;
    real_ip_header    X-Client;

    location /api/ {
        proxy_pass                 %%URL_api%%;
        proxy_set_header           Host $host;
        proxy_set_header           X-Real-IP $remote_addr;
        proxy_set_header           X-Cookie $http_cookie;
        proxy_set_header           X-User $remote_user;
        proxy_read_timeout         10s;
        proxy_ignore_client_abort  on;
        webhook_observe            runs;

        webhook hook { url %%URL_hook%%/; }
        webhook only { url %%URL_hook%%/only; match /project/id 7; }
        webhook rest { url %%URL_hook%%/rest; match /project/id !7; }
        webhook regex { url %%URL_hook%%/regex; match /goal/name ~^nightly; }
    }

    location /api/limited/ {
        limit_req                  zone=slow;
        limit_conn                 one 1;
        proxy_pass                 %%URL_api%%;
        proxy_ignore_client_abort  on;
        webhook_observe            runs;
        webhook hook { url %%URL_hook%%/; }
        webhook only { url %%URL_hook%%/only; match /project/id 7; }
        webhook rest { url %%URL_hook%%/rest; match /project/id !7; }
        webhook regex { url %%URL_hook%%/regex; match /goal/name ~^nightly; }
    }

    location /api/quiet/ {
        proxy_pass                 %%URL_api%%/api/;
        webhook_observe            runs;
    }

    location /away/ { proxy_pass %%URL_api%%; }
    location /inside/ { internal; proxy_pass %%URL_api%%;
        webhook_observe runs; }
    location /status/ { webhook_status write=on; }
}

EOC

$t->run();

###############################################################################

my $n = 0;

sub run { return { json => { id => $_[0], status => $_[1], @_[2 .. $#_] } } }

sub launch {
	my ($goal, %o) = @_;
	my $id = 'r' . ++$n;
	my $uri = $o{uri} || '/api/runs';

	$api->set($uri => run($id, $o{status} || 'queued', goalId => $goal,
		%{ $o{with} || {} }));

	my $res = $t->post($uri, '{}', headers => $o{headers} || []);
	is($res->status(), 200, "launched $id") unless $o{quiet};

	return $id;
}

sub at {
	my ($path) = @_;
	return grep { $_->path() eq $path } $r->requests();
}

# the events of an execution, when there are so many

sub got {
	my ($id, $count) = @_;
	my @got;

	wait_for {
		@got = grep { $_->json->{execution}{id} eq $id } at('/');
		@got >= $count;
	};

	return map { $_->json } @got;
}

sub asked { return grep { $_->path() eq $_[0] } $api->requests() }

sub metric {
	my ($name) = @_;
	return $t->get('/status/metrics')->body() =~ /^\Q$name\E (\S+)$/m ? $1
		: undef;
}

$api->set('/api/goals/1' => { json => { item => { id => 1, name => 'Shop',
		projectId => 7, secret => 'no' } } },
	'/api/projects/7' => { json => { id => 7, name => 'Acme',
		organizationId => 'o1', other => 'no' } });

# what is lacking is asked for

my $id = launch(1, headers => [ Authorization => 'Bearer one', Cookie => 'a=b',
	'X-Api-Key' => 'k', 'X-Private' => 'p', 'If-None-Match' => 'x',
	'Range' => 'bytes=0-1', 'X-Client' => '192.0.2.1',
	'Content-Type' => 'application/json' ]);
my ($e) = got($id, 1);

is($e->{event}, 'LAUNCHED', 'event');
is_deeply($e->{goal}, { id => 1, name => 'Shop' }, 'goal');
is_deeply($e->{project}, { id => 7, name => 'Acme' }, 'project');
is_deeply($e->{organization}, { id => 'o1' }, 'organization');
is_deeply($e->{execution}, { id => $id }, 'the rest as it was');

my ($q) = asked('/api/goals/1');

is($q->method(), 'GET', 'method');
is($q->header('authorization'), 'Bearer one', 'Authorization');
is($q->header('cookie'), 'a=b', 'Cookie');
is($q->header('x-cookie'), 'a=b', 'its variable');
is($q->header('x-api-key'), 'k', 'another that is named');
is(scalar(() = map { $q->header($_) } qw/ x-private if-none-match range
	content-length content-type /), 0, 'nothing else');
is($q->header('accept-encoding'), 'identity', 'no coding');
is($q->header('x-real-ip'), '192.0.2.1', 'from the address of the caller');
is($q->header('host'), 'localhost', 'host');
is(scalar(asked('/api/goals/1')), 1, 'a goal was asked for once');
is(scalar(asked('/api/projects/7')), 1, 'and a project');

# ... and known then

$id = launch(1, headers => [ Authorization => 'Bearer one', Cookie => 'a=b',
	'X-Api-Key' => 'k', 'X-Private' => 'q', 'X-Client' => '192.0.2.1' ]);
($e) = got($id, 1);
is($e->{project}{name}, 'Acme', 'the same caller');
is(scalar(asked('/api/goals/1')), 1, 'is not asked again');

$api->set("/api/runs/$id" => run($id, 'done', goalId => 1));
$t->get("/api/runs/$id", headers => [ Authorization => 'Bearer one',
	Cookie => 'a=b', 'X-Api-Key' => 'k', 'X-Client' => '192.0.2.1' ]);
is(join(' ', map { "$_->{event} $_->{project}{name}" } got($id, 3)),
	'LAUNCHED Acme STARTED Acme FINISHED Acme', 'on another route');
is(scalar(asked('/api/goals/1')), 1, 'nor there');

# for him alone

my @others = ([ Authorization => 'Bearer two' ], [ Cookie => 'a=c' ],
	[ 'X-Api-Key' => 'l' ], [ 'X-Client' => '192.0.2.2' ],
	[ Host => 'other.example.com' ], []);

for my $i (0 .. $#others) {
	$api->set('/api/goals/1' => { json => { name => "of $i",
		projectId => "p$i" } },
		"/api/projects/p$i" => { status => 403 });
	$id = launch(1, headers => $others[$i], quiet => 1);
	($e) = got($id, 1);
	is($e->{goal}{name}, "of $i", "another caller $i");
	is_deeply($e->{project}, { id => "p$i" }, 'what was refused lacks');
	is($e->{organization}, undef, 'and what was to come of it');
}

# match is judged with what was asked for

is(scalar(at('/only')), 4, 'wanted when it was known');
is(scalar(grep { ($_->json->{project}{id} || '') eq '7' } at('/rest')), 0,
	'unwanted when it was known');
ok(wait_for { at('/rest') == @others }, 'wanted all the same');

# ... whatever another document, read meanwhile, does to regexes

$api->set('/api/goals/n' => { json => { name => 'nightly' }, hold => 1 },
	'/api/runs/hard' => run('hard', 'a' x 40 . '!'));
$id = launch('n');
ok(wait_for { asked('/api/goals/n') }, 'it is asked for');
$t->get('/api/runs/hard');
$api->release();
ok(wait_for { grep { $_->json->{execution}{id} eq $id } at('/regex') },
	'a regex is not judged by what another one took');

# what is there already is not asked for; no event, no request

$api->forget();
$id = launch(2, status => 'running', with => { step => 1 });
got($id, 2);
$api->forget();
$api->set("/api/runs/$id" => run($id, 'running', goalId => 2, step => 1));
$t->get("/api/runs/$id") for 1 .. 3;
is(scalar(grep { $_->path() =~ /goals/ } $api->requests()), 0,
	'polls ask for nothing');

$api->set('/api/quiet/runs/q1' => run('q1', 'running', goalId => 3));
$t->get('/api/quiet/runs/q1');

# whole members, captures, one segment each

$api->set('/api/of/a%20b' => run('x/1', 'queued'),
	'*' => { json => { id => 's1', title => 'S' } },
	'/api/projects/1' => { json => { id => 1, name => 'P' } });

$t->post('/api/of/a%20b', '{}');
($e) = got('x/1', 1);
$api->set('/api/of/a%20b' => run('x/2', 'queued'));
$t->post('/api/of/a%20b', '{}');

is_deeply($e->{snapshot}, { id => 's1', title => 'S' }, 'a whole member');
is_deeply($e->{project}, { id => 1, name => 'P' }, 'another');
got('x/2', 1);
is(scalar(asked('/api/projects/1')), 2, 'ttl=0 keeps nothing');
is(join(' ', map { $_->target() } grep { $_->path() =~ /teams/ }
	$api->requests()),
	'/api/teams/a%20b/of/x%2F1?x=1 /api/teams/a%20b/of/x%2F2?x=1', 'encoded');

# a whole member and a part of it, whichever is known first

$api->set('/api/whole/1' => { json => { id => 1, name => 'P' } },
	'/api/part/1' => { json => { extra => 'X' } },
	'/api/after/X' => { json => { id => 'S' } });

for my $known ('nothing', 'the part') {
	$id = launch(1, uri => '/api/both');
	($e) = got($id, 1);
	is_deeply($e->{project}, { id => 1, name => 'P', extra => 'X' },
		"whole and part, $known was known");
}

is(scalar(asked('/api/whole/1')), 2, 'the whole asked for each time');
is(scalar(asked('/api/part/1')), 1, 'the part once');

$api->set('/api/whole/1' => { json => { id => 1, name => 'P' }, hold => 1 });
$api->forget();
$id = launch(1, uri => '/api/both', headers => [ Authorization => 'other' ]);
ok(wait_for { asked('/api/after/X') }, 'the part has been answered');
$api->release();
($e) = got($id, 1);
is_deeply($e->{project}, { id => 1, name => 'P', extra => 'X' },
	'whole and part, the part was answered first');

# what cannot stand in a path, or is no value

for my $goal ('..', '', undef, [ 1 ], { a => 1 }, 'x' x 257,
	JSON::PP::true(), 'a/../b')
{
	$api->forget();
	$id = launch($goal, quiet => 1);
	($e) = got($id, 1);
	is($e->{project}, undef, 'not asked');
	is(scalar(grep { $_->path() =~ /goals/ } $api->requests()), 0, 'for it');
}

###############################################################################

# failing ones: the event goes without

my @bad = (
	{ status => 401, json => { name => 'no' } },
	{ status => 500, json => { name => 'no' } },
	{ status => 404, body => 'Not Found' },
	{ status => 204 },
	{ status => 200, body => 'garbage' },
	{ status => 200, body => '{"name":"x"' },
	{ status => 200, json => [] },
	{ status => 200, json => { name => undef } },
	{ status => 200, json => { name => 'x' }, truncate => 5,
		then => 'close' },
	{ status => 200, json => { name => 'x' },
		headers => { 'Content-Encoding' => 'br' } },
	{ status => 200, json => { name => 'x' },
		headers => { 'Content-Encoding' => 'gzip' } },
	{ status => 200, json => { name => 'x', huge => 'y' x 20000 },
		gzip => 1 },
	{ status => 200, json => { name => 'x', huge => 'y' x 20000 } },
	{ status => 200, chunked => 1000,
		json => { name => 'x', huge => 'y' x 20000 } },
	{ status => 302, headers => { Location => '/api/goals/1' } },
	{ status => 200, headers => { 'X-Accel-Redirect' => '/api/goals/1' } },
	{ drop => 'close' }, { drop => 'reset' },
);

for my $i (0 .. $#bad) {
	$api->set("/api/goals/b$i" => $bad[$i]);
	$id = launch("b$i", quiet => 1);
	($e) = got($id, 1);
	is_deeply($e->{goal}, { id => "b$i" }, "bad answer $i");
}

# one that failed is asked again

$api->set('/api/goals/b1' => { json => { name => 'good' } });
$id = launch('b1', quiet => 1);
is((got($id, 1))[0]{goal}{name}, 'good', 'good again');

# one that compresses though it is asked not to

$api->set('/api/goals/gz' => { json => { name => 'small' }, gzip => 1 });
$id = launch('gz', quiet => 1);
is((got($id, 1))[0]{goal}{name}, 'small', 'gzip');

# redirects and locations

$t->mark_log();
$api->set('/api/away' => run('w1', 'queued', goalId => 1),
	'/api/inside' => run('i1', 'queued', goalId => 1));
$t->post("/api/$_", '{}') for qw/ away inside /;
is((got('w1', 1))[0]{project}, undef, 'a location that does not observe');
is((got('i1', 1))[0]{project}, undef, 'an internal one');
is(scalar(asked('/away/1')) + scalar(asked("/inside/1")), 0, 'not entered');

# a slow one: the event waits 2 s, the client does not

$api->set('/api/goals/slow' => { hold => 1, json => { name => 'late' } });

my $start = time();
$id = launch('slow', quiet => 1);
my $took = time() - $start;
($e) = got($id, 1);
$start = time() - $start;

is_deeply($e->{goal}, { id => 'slow' }, 'without what was slow');
cmp_ok($took, '<', 1.5, 'the client had its answer before');
cmp_ok($start, '>=', 1.9, 'the event waited for it');
is(scalar(asked('/api/goals/slow')), 1, 'asked');
$api->release(10);

# "why is it not there?"

my ($seen) = @{ $t->get('/status/observed?reason=not+enriched&limit=1')->json()
	->{observed} };

is_deeply([ @$seen{qw/ method path api status events execution /} ],
	[ 'GET', '/api/goals/slow', 'runs', $seen->{status}, 0, undef ],
	'observed') or diag(explain($seen));

ok(metric("nginx_webhook_enrichments_total{result=\"$_\"}"), "metric $_")
	for qw/ known answered failed /;

# one at a time for each URI, whoever waits; in their order

$api->forget();
$api->set('/api/goals/many' => { hold => 1, json => { name => 'Many' } });

my @ids = map { launch('many', quiet => 1) } 1 .. 20;
$api->set("/api/runs/$_" => run($_, 'done', goalId => 'many')) for @ids;
$t->get("/api/runs/$_") for @ids;
ok(wait_for { asked('/api/goals/many') }, 'asked');
$api->release(1);

is(join(' ', map { join(',', map { "$_->{event} $_->{goal}{name}" }
	got($_, 3)) } @ids), join(' ',
	('LAUNCHED Many,STARTED Many,FINISHED Many') x 20), 'all of them');
is(scalar(asked('/api/goals/many')), 1, 'asked once');

# many URIs, more than are asked for at a time

$api->set("/api/goals/m$_" => { json => { name => "M$_" } }) for 1 .. 60;
$api->set('/api/runs' => [ map { run("mm$_", 'queued', goalId => "m$_") }
	1 .. 60 ]);
$t->post('/api/runs', '{}') for 1 .. 60;
is(join(' ', map { (got("mm$_", 1))[0]{goal}{name} } 1 .. 60),
	join(' ', map { "M$_" } 1 .. 60), 'many');

# limits are for clients

for (1 .. 3) {
	$api->set('/api/limited/r' . ($n + 1) => { json => { id => $_ } });
	$id = launch(1, uri => '/api/limit', quiet => 1);
	is((got($id, 1))[0]{project}{id}, $_, "no limit $_");
}

# ttl

$api->set('/api/short/5' => { json => { name => 'first' } });
$id = launch(5, uri => '/api/short', quiet => 1);
is((got($id, 1))[0]{project}{name}, 'first', 'a short ttl');
$api->set('/api/short/5' => { json => { name => 'second' } });

my $tries = 0;

ok(wait_for {
	$tries++;
	$id = launch(5, uri => '/api/short', quiet => 1);
	(got($id, 1))[0]{project}{name} eq 'second';
}, 'is over some time');
is(scalar(asked('/api/short/5')), 2, 'then it was asked again');

# what a watch sees is asked for with the watch's credentials

$api->set('/api/goals/w' => [ { json => { name => 'users' } },
	{ json => { name => 'operators' } } ]);
$api->set('/api/runs/r' . ($n + 1) => run('r' . ($n + 1), 'done',
	goalId => 'w'));
$id = launch('w', uri => '/api/watched', quiet => 1,
	headers => [ Authorization => 'Bearer user', 'X-Api-Key' => 'users' ]);
is(join(' ', map { "$_->{event} $_->{goal}{name}" } got($id, 3)),
	'LAUNCHED users STARTED operators FINISHED operators', 'watched');

my @asked = asked('/api/goals/w');
is(join(' ', map { $_->header('x-api-key') } @asked), 'users operators-own',
	'credentials');
is(scalar(() = $asked[1]->header('authorization')), 0, 'not the user\'s');
is($asked[1]->header('x-other'), 'yes', 'all of the watch');
is($asked[1]->header('host'), 'watch.example.com', 'its host');

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

refused('enrich goal;', qr/invalid number of arguments/);
refused('enrich nothing /a;', qr/unknown member "nothing"/);
refused('enrich goal. /a;', qr/unknown member "goal\."/);
refused('enrich goal.a.b /a;', qr/unknown member "goal.a.b"/);
refused('enrich execution /a;', qr/"execution" cannot be lacking/);
refused('enrich execution.id /a;', qr/"execution.id" cannot be lacking/);
refused('enrich goal nowhere;', qr/invalid URI "nowhere"/);
refused('enrich goal "/a b";', qr/must be percent-encoded/);
refused('enrich goal /a/$1;', qr/invalid variable name/);
refused('enrich goal /a/${goal.};', qr/unknown member in "\$\{goal\.\}"/);
refused('enrich goal /a/${execution.a.b};', qr/"\$\{execution\.a\.b\}" is within a/);
refused('enrich goal /a/${goal.a.b-c.d};', qr!name\ it,\ as\ "goal\.x\ /a/b-c/d;",
	\ and\ write\ "\$\{goal\.x\}"\ in\ \S+\.conf:\d+$!mx);
refused('enrich goal /a/${goal-a};', qr/unknown member in "\$\{goal-a\}"/);
refused('enrich goal /a/${x.id.b};', qr/unknown member in "\$\{x.id.b\}"/);
refused('enrich goal /a/${execution.};',
	qr/unknown member in "\$\{execution\.\}"/);
refused('enrich goal /a/${x.id};', qr/unknown member in "\$\{x.id\}"/);
refused('enrich goal /a/$arg_x; route GET /b { enrich goal /a/$arg_x; }',
	qr/needs "\$arg_x", which is no named capture/);
refused('enrich goal /a; enrich goal /b;', qr/duplicate member "goal"/);
refused('enrich goal /a ttl=x;', qr/invalid parameter "ttl=x"/);
refused('enrich goal /a ttl=1 ttl=2;', qr/duplicate parameter "ttl=2"/);
refused('enrich goal /a other=1;', qr/invalid parameter "other=1"/);
refused('enrich goal /a pointer=x;', qr/invalid JSON Pointer "x"/);
refused('enrich goal /a pointer=/a/*;', qr/invalid JSON Pointer/);
refused('enrich goal /a; enrich_header "A b";', qr/invalid name/);
refused('enrich goal /a; enrich_header Cookie;', qr/"Cookie" is reserved/);
refused('enrich goal /a; enrich_header Range;', qr/"Range" is reserved/);
refused('enrich goal /a; enrich_header A a;', qr/duplicate header "a"/);
refused('', qr/"enrich_header" without "enrich" for "route"/,
	'route GET / { enrich_header A; }');
refused('watch /a/${goal};', qr/needs "\$goal", which is no named capture/);

my ($ok, $said) = $t->test_config('webhook_api x { id /id;
	enrich goal /a/$job; enrich project.name /b/${project.id};
	route GET /list { } route POST ~^/run/(?<job>.+)$ { launch; } }');

ok($ok, 'an outer line is for routes that have what it needs')
	or diag($said);
unlike($said, qr/\[warn\]/, 'and some route has it');

($ok, $said) = $t->test_config('webhook_api x { id /id;
	enrich goal /a/$remote_user; enrich project /b;
	route GET /list { } route POST ~^/run/(?<job>.+)$ { launch; } }');

ok($ok, 'an outer line that no route can use');
like($said, qr/"enrich" in \S+:\d+ has no effect, as "\$remote_user" is a named/,
	'is warned of');
is(() = $said =~ /\[warn\]/g, 1, 'alone');

$t->done(more => 1);

###############################################################################

# a location that does not observe is said, whatever failed before, and once

$t = WebhookTest->new(workers => 1);
$api = $t->upstream('api');

$t->http_config(<<'EOC');

webhook_api runs {
    id      /id;
    state   /status;
    states  LAUNCHED queued;

    route POST /api/fails { launch; enrich goal /api/broken ttl=0; }
    route POST /api/away { launch; enrich goal /away ttl=0; }
}

server {
    listen  127.0.0.1:%%PORT_0%%;

    location /api/ {
        proxy_pass       %%URL_api%%;
        webhook_observe  runs;
        webhook hook { url http://127.0.0.1:%%PORT_none%%/; retry 1h; }
    }

    location /away { proxy_pass %%URL_api%%; }
}

EOC

$t->run();

$api->set('/api/broken' => { status => 503 });

for my $name (qw/ fails away fails away /) {
	$api->set("/api/$name" => { json => { id => $name . ++$n,
		status => 'queued' } });
	$t->post("/api/$name", '{}');
	ok($t->wait_log($name eq 'fails'
		? qr/no usable answer to the URI in \S+, status 503/
		: qr/comes to no location with "webhook_observe runs"/),
		"said: $name");
}

is(scalar $t->grep_log(qr/webhook enrich:/), 2, 'each once');

$t->done(more => 1);

###############################################################################

# a queue that is full: what is wanted only for what it was enriched with takes
# its place as soon as that is known, or is dropped as all else

$t = WebhookTest->new(workers => 1);
$api = $t->upstream('api');
$r = $t->receiver('full');

$t->http_config(<<'EOC');

webhook_api runs {
    id      /id;
    state   /status;
    states  LAUNCHED queued;

    route POST /api/run { launch;
        enrich project.id /api/project/$webhook_execution ttl=0; }
    route POST /api/again { launch;
        enrich project.id /api/project/$webhook_execution ttl=0; }
}

webhook_defaults {
    events         EXECUTION;
    retry          1h;
    max_in_flight  1;
    match          /project/id 7;
}

server {
    listen  127.0.0.1:%%PORT_0%%;

    location /api/ {
        proxy_pass       %%URL_api%%;
        webhook_observe  runs;
        webhook newest { url %%URL_full%%/newest; queue 1; }
        webhook oldest { url %%URL_full%%/oldest; queue 1 overflow=oldest; }
    }

    location = /api/again {
        proxy_pass       %%URL_api%%;
        webhook_observe  runs;
        webhook again { url %%URL_full%%/again; queue 1; retry off; }
    }

    location /status/ { webhook_status write=on; }
}

EOC

$t->run();
$r->set('*' => { hold => 1 });

sub run_of {
	my ($id, $project) = @_;

	$api->set('/api/run' => { json => { id => $id, status => 'queued' } },
		"/api/project/$id" => { json => { id => $project } });
	$t->post('/api/run', '{}');
}

sub counts {
	my $hook = $t->get("/status/hooks/$_[0]")->json;

	return join ' ', map { $hook->{$_} } qw/ in_flight waiting dropped /;
}

sub both { join ', ', map { counts($_) } qw/ newest oldest / }

run_of('f1', 7);
is($r->wait_requests(2), 2, 'full - held');
is(both(), '1 0 0, 1 0 0', 'full - in flight');

$t->allow(qr/the queue of 1 is full/);

run_of('f2', 7);
ok(wait_for { both() eq '1 1 0, 1 1 0' }, 'full - another waits');
run_of('f3', 7);
ok(wait_for { both() eq '1 1 1, 1 1 1' }, 'full - one is dropped')
	or diag(both());
run_of('f4', 8);
run_of('f5', 7);
ok(wait_for { both() eq '1 1 2, 1 1 2' }, 'full - what is unwanted is not')
	or diag(both());
ok($t->wait_log(qr/webhook "(?:newest|oldest)": the queue of 1 is full/),
	'full - said');

$r->set('*' => { status => 204 });
$r->release();

ok(wait_for { both() eq '0 0 2, 0 0 2' }, 'full - the rest is sent');
is(join(' ', map { $_->json->{execution}{id} } $r->requests('/newest')),
	'f1 f2', 'full - newest');
is(join(' ', map { $_->json->{execution}{id} } $r->requests('/oldest')),
	'f1 f5', 'full - oldest');

# one of which that is not known yet has no place in the queue

$r->set('/again' => { status => 500 });
$api->set('/api/again' => { json => { id => 'g1', status => 'queued' } },
	'/api/project/g1' => { json => { id => 7 } });
$t->post('/api/again', '{}');
ok(wait_for { $t->get('/status/hooks/again')->json->{failed} },
	'full - one has failed');

$api->set('/api/again' => { json => { id => 'g2', status => 'queued' } },
	'/api/project/g2' => { json => { id => 7 }, hold => 1 });
$t->post('/api/again', '{}');
is(scalar $api->wait_requests(1, 10, '/api/project/g2'), 1,
	'full - another is unsure');
is(counts('again'), '0 0 0', 'full - which is none that waits');
is(join(' ', grep { defined } @{ $t->get('/status/hooks/again')->json }
	{qw/ oldest next_attempt /}), '', 'full - nor is to be attempted');
like($t->get('/status/metrics')->body,
	qr/deliveries_waiting\{webhook="again"\} 0\n/, 'full - in metrics');
is($t->post('/status/hooks/again/recover', '',
	headers => [ 'X-Webhook-Write' => 1 ])->json->{count}, 1,
	'full - it is delivered again');
$api->release();

$t->done(more => 1);

###############################################################################

# more events than may wait: those beyond that go without, which is said

$t = WebhookTest->new(workers => 1);
$api = $t->upstream('api');
$r = $t->receiver('hook');

$t->http_config(<<'EOC');

webhook_api runs {
    id      /id;
    state   /status;
    states  LAUNCHED queued;
    route   GET /list { each /*; enrich goal.name /goal/1; }
}

server {
    listen  127.0.0.1:%%PORT_0%%;

    location / {
        proxy_pass       %%URL_api%%;
        webhook_observe  runs;
        webhook hook { url %%URL_hook%%/; match /goal/name none; }
    }

    location /status/ { webhook_status write=on; }
}

EOC

$t->run();
$api->set('/goal/1' => { hold => 1 });

my @c = map { $t->connect() } 1, 2;
my $last = 0;

ok(wait_for(sub {
	$api->set('/list' => [ map { {
		json => [ map { { id => ++$last, status => 'queued' } } 1 .. 1000 ]
	} } @c ]);

	$_->send_request('GET', '/list') for @c;
	$_->read_response() for @c;

	return $t->grep_log(
		qr/"goal\.name" in \S+ is left out: too many events wait$/);
}, 30), 'many - said');

like($t->get('/status/metrics')->body(),
	qr/^nginx_webhook_enrichments_total.*failed"\} [1-9]/m, 'many - counted');
like($t->get('/status/observed?reason=not+enriched')->body(),
	qr!"path": *"/goal/1"!, 'many - observed');

$api->release();

$t->done(more => 1);

###############################################################################

# an answer that the zone has no room for: the event goes as it was, which is
# said

$t = WebhookTest->new(workers => 1);
$api = $t->upstream('api');
$r = $t->receiver('hook');

$t->http_config(<<'EOC');

webhook_zone zone=webhooks:1m;

webhook_api runs {
    id         /id;
    execution  "";
    state      /status;
    states     LAUNCHED queued;
    route      POST /run { launch; enrich goal /goal/${execution.id} ttl=0; }
}

server {
    listen  127.0.0.1:%%PORT_0%%;

    location / {
        proxy_pass                 %%URL_api%%;
        proxy_ignore_client_abort  on;
        webhook_observe            runs;
        webhook hook { url %%URL_hook%%/; events EXECUTION; }
    }

    location /status/ { webhook_status write=on; }
}

EOC

$t->run();
$t->post('/status/hooks/hook/pause', '', headers => [ 'X-Webhook-Write' => 1 ]);

for (1 .. 3) {
	$api->set('/run' => { json => { id => $_, status => 'queued' } },
		"/goal/$_" => { json => { text => 'x' x 200000 } });
	$t->post('/run', '{}');
	wait_for { $t->get('/status/metrics')->body()
		=~ /^nginx_webhook_enrichments_total.*answered"\} $_$/m };
}

ok($t->wait_log(qr/"goal" in \S+ is left out: webhook_zone is full$/),
	'zone is full - said');
like($t->get('/status/metrics')->body(),
	qr/^nginx_webhook_enrichments_total.*failed"\} 1$/m,
	'zone is full - counted');

$t->post('/status/hooks/hook/resume', '', headers => [ 'X-Webhook-Write' => 1 ]);
is(join(' ', sort map { length($_->json->{goal}{text} || '') }
	$r->wait_requests(3)), '0 200000 200000', 'zone is full - sent');

$t->done();

###############################################################################
