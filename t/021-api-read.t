#!/usr/bin/perl

# API descriptions at work: which requests are read, what identifies an
# execution, where it stands, and what is sent of it.  A real API, a real
# receiver.

###############################################################################

use warnings;
use strict;

use Test::More;

use WebhookTest;

###############################################################################

# one worker, so that events come in the order of requests

my $t = WebhookTest->new(workers => 1);
my $api = $t->upstream('api');
my $hook = $t->receiver('hook');

$t->http_config(<<'EOF');
    include %%CONF%%/webhook/virtuoso.conf;
    include %%CONF%%/webhook/rclone.conf;

    webhook_api a {
        id         /item/id /id;
        execution  /item "";
        goal       /goal;
        goal.id    /goalId $goal;
        sender.id  /by;
        sender.name   $http_x_user Nobody;
        organization.name  Acme;
        project.list       /jobs/*/id;

        state    /status /jobs/*/status $http_x_status;
        states   LAUNCHED queued;
        states   STARTED Running;
        states   FINISHED done ~^fail true;

        omit     /meta /jobs/*/hidden /item/meta;
        updated  /progress /shape /jobs/*/p;

        route POST /launch status=200,201,302 { launch; }
        route POST,PUT "~^/goal/(?<goal>\d{2})$" { launch; execution /id; }
        route POST ~*^/rerun/(?<run>[^/]+)$ { rerun; id $run; }
        route GET /poll { }
        route GET /wait { present STARTED /start; }
        route GET /stages { state /stages/*/jobs/*/s; }
        route GET /stages-dates {
            state /none;
            present FINISHED /stages/*/jobs/*/end;
        }
        route GET /stages-none {
            require /stages/*/jobs/*/s !bad;
            require /stages/*/jobs/* !*;
        }
        route GET /dates {
            state /none;
            present STARTED /start /begun=yes;
            present FINISHED /end /all/*/end /ok=true;
            omit /start;
        }
        route GET /prefix/* { goal /id; goal.name /id; sender.name /nobody; }
        route GET /ignored/* { ignore; }
        route GET /ignored { ignore; }
        route GET /require { require /kind run ~^x; require /tag !draft; }
        route GET /require-any { require /tags/* a; require /tags/* !b; }
        route GET /require-empty { require /error ""; require /note "!"; }
        route GET /present-empty { state /none; present STARTED /x=; }
        route GET /when when=$http_x_when { }
        route GET /list { each /jobs/* /item/jobs/*; id /id ""; }
        route GET /one { each /envelope ""; }
        route GET ~^/two/(?<one>.)$ { id $one; }
        route GET ~^/uri/(?<uid>.+)$ { id $uid; execution $uid; }
        route GET ~/the/end$ { }
        route GET ~*/The/END$ { id /upper; }
        route * /any { launch; }
    }

    webhook_api b {
        route POST /sentinel { launch; id /id; }
        route GET /poll { id /other; state /status; }
    }

    webhook hook {
        url            %%URL_hook%%/;
        events         EXECUTION;
        max_in_flight  1;
    }

    server {
        listen  127.0.0.1:%%PORT_0%%;

        webhook_observe  a b virtuoso rclone;

        location / {
            proxy_pass                 %%URL_api%%;
            proxy_ignore_client_abort  on;
        }

        location ~ ^/(t)(w)o/ {
            add_header  X-Captures $1$2;
            proxy_pass  %%URL_api%%;
        }

        location ~ ^/captures/(.)(.) {
            rewrite ^/captures/(.)(.)$ /uri/$2;
        }
    }
EOF

$t->run();

###############################################################################

# payloads of the events that an answer makes; the sentinel's comes after them

my $sentinel = 0;
my $fresh = 1000;

sub events {
	my ($method, $uri, $doc, %o) = @_;

	$doc = encoded($doc) if ref $doc;

	$api->set('*' => { status => $o{status} || 200, body => $doc });
	$t->request($method, $uri, headers => $o{headers} || []);

	my $id = 's' . ++$sentinel;

	$api->set('*' => { status => 200, body => "{\"id\":\"$id\"}" });
	$t->post('/sentinel');

	$hook->wait_request(sub { $_[0]->json()->{execution}{id} eq $id })
		or die "no event of the sentinel";

	my @payloads = map { $_->json() } $hook->requests();

	$hook->forget();

	return grep { $_->{execution}{id} ne $id } @payloads;
}

sub encoded {
	return JSON::PP->new->utf8->canonical->allow_nonref->encode($_[0]);
}

sub names {
	return join ' ', map { $_->{event} } @_;
}

# where a document puts an execution: NONE, LAUNCHED, STARTED, FINISHED

sub rank {
	my ($uri, $doc, @o) = @_;

	my $id = $fresh++;
	my $names = names(events('GET', $uri, { %$doc, id => $id }, @o));

	return $names if $names ne '';

	$id = $fresh++;
	events('POST', '/launch', { id => $id });

	return names(events('GET', $uri, { %$doc, id => $id }, @o))
		eq 'STARTED FINISHED' ? 'FINISHED' : 'NONE';
}

###############################################################################

my @e;

# launches: ids and members

@e = events('POST', '/launch', '{"id":5,"status":"queued","meta":{"a":1},' .
	'"goalId":7,"by":42,"big":9007199254740993}');

is_deeply(\@e, [ { type => 'EXECUTION', event => 'LAUNCHED',
	execution => { id => 5, status => 'queued', goalId => 7, by => 42,
		big => 9007199254740993 },
	goal => { id => 7 }, sender => { id => 42, name => 'Nobody' },
	organization => { name => 'Acme' } } ], 'launch');

is(names(events('POST', '/launch', '{"id":"5"}')), '',
	'the same id as text is the same execution');

@e = events('POST', '/launch', '{"item":{"id":"x","meta":{"password":"p"}},' .
	'"id":9}', headers => [ 'X-User' => "J\xfcrg" ]);
is_deeply($e[0]{execution}, { id => 'x' }, 'envelope, omitted');
is($e[0]{sender}{name}, "J\x{fffd}rg", 'text of a header is made UTF-8');

for my $id ('true', 'false', 'null', '""', '{}', '[1]', '{"id":1}') {
	is(names(events('POST', '/launch', "{\"id\":$id}")), '', "no id: $id");
}

for my $id ('0', '-1', '1.5', '"0"', '" "', '12345678901234567') {
	@e = events('POST', '/launch', "{\"id\":$id,\"item\":{\"id\":null}}");
	is(encoded([ map { $_->{execution}{id} } @e ]), "[$id]", "id: $id")
		if @e;
	is(names(@e), $id eq '"0"' ? '' : 'LAUNCHED', "id $id launches");
}

is(names(events('POST', '/launch', '{"id":6}', status => 201)), 'LAUNCHED',
	'status that is wanted');
is(names(events('POST', '/launch', '{"id":7}', status => 302)), 'LAUNCHED',
	'redirect that is wanted');
is(names(events('POST', '/launch', '{"id":8}', status => 202)), '',
	'status that is not');
is(names(events('POST', '/launch', '{"id":8}', status => 500)), '',
	'an error');

# methods and paths

is(names(events('PUT', '/goal/12', '{"id":"g1"}')), 'LAUNCHED', 'two methods');
is(names(events('GET', '/goal/12', '{"id":"g2"}')), '', 'another method');
is(names(events('POST', '/goal/123', '{"id":"g3"}')), '', 'another path');
is(names(events('POST', '/launch/', '{"id":"g4"}')), '', 'exact is exact');
is(names(events('POST', '/laun%63h?x=1', '{"id":"g5"}')), 'LAUNCHED',
	'the normalised path, without the query');
is(names(events('FOO', '/any', '{"id":"m1"}')), 'LAUNCHED', 'any method');
is(names(events('DELETE', '/any', '{"id":"m2"}')), 'LAUNCHED', 'any method');

@e = events('POST', '/goal/12', '{"id":"g6"}');
is_deeply($e[0]{execution}, { id => 'g6' }, 'a scalar as execution');
is_deeply($e[0]{goal}, { id => '12' }, 'a member from the path');

@e = events('GET', '/prefix/x', '{"id":"p1","status":"running","by":3}');
is($e[0]{goal}{name}, 'p1', 'prefix');
is_deeply($e[0]{goal}, { name => 'p1' },
	'a route replaces, another scalar member is left out');
is_deeply($e[0]{sender}, { id => 3 }, 'one member replaced, one inherited');
is(names(events('GET', '/prefix/', '{"id":"p2","status":"running"}')),
	'STARTED', 'prefix itself');
is(names(events('GET', '/prefix', '{"id":"p3","status":"running"}')), '',
	'not the prefix');
is(names(events('GET', '/ignored/x', '{"id":"p4","status":"running"}')), '',
	'ignore');

is(names(events('GET', '/when', '{"id":"w1","status":"running"}')), '',
	'when is empty');
is(names(events('GET', '/when', '{"id":"w1","status":"running"}',
	headers => [ 'X-When' => '0' ])), '', 'when is 0');
is(names(events('GET', '/when', '{"id":"w1","status":"running"}',
	headers => [ 'X-When' => '00' ])), 'STARTED', 'when is 00');

@e = events('GET', '/uri/a%20b', '{"status":"running"}');
is_deeply($e[0]{execution}, { id => 'a b' }, 'id from the path');

is(names(events('GET', '/captures/xy', '{"status":"running"}')), '',
	'the path is the one that the client asked for');

@e = events('POST', '/RERUN/r-1', '', status => 204);
is(names(@e), 'LAUNCHED', 'a rerun without a body, caseless');
is_deeply($e[0]{execution}, { id => 'r-1' }, 'its execution');
is(names(events('POST', '/rerun/r-1', '', status => 204)), '',
	'again while it runs');

$api->set('*' => { status => 200, body => '{"status":"running"}' });
is($t->get('/two/x')->header('X-Captures'), 'tw',
	'captures of a location stay');
is(names(grep { $_->{execution}{id} eq 'x' } events('GET', '/nothing', '{}')),
	'STARTED', 'while those of the route are read');

# a regex that is a text and "$"

for my $uri ('/the/end', '/a/b/the/end', '/not/the/end?x', '/the/end%0A',
	'/the%2Fend')
{
	is(names(events('GET', $uri, { id => $fresh++, status => 'Running' })),
		'STARTED', "ends so: $uri");
}

for my $uri ('/the/end/', '/the/ending', '/he/end', '/end', '/The/end',
	'/the/end%0A%0A', '/the/end%0D', '/the/end%0Ax')
{
	is(names(events('GET', $uri, { id => $fresh++, status => 'Running' })),
		'', "does not end so: $uri");
}

is(names(events('GET', '/some/the/End', { upper => $fresh++,
	status => 'Running' })), 'STARTED', 'without case');

# states

is(rank('/poll', { status => 'queued' }), 'LAUNCHED', 'LAUNCHED');
is(rank('/poll', { status => 'RUNNING' }), 'STARTED', 'without case');
is(rank('/poll', { status => 'Done' }), 'FINISHED', 'FINISHED');
is(rank('/poll', { status => 'Failed again' }), 'FINISHED', 'regex');
is(rank('/poll', { status => 'strange' }), 'STARTED', 'unknown');
is(rank('/poll', { status => JSON::PP::true }), 'FINISHED', 'a boolean');
is(rank('/poll', { status => undef }), 'NONE', 'null');
is(rank('/poll', { }), 'NONE', 'absent');
is(rank('/poll', { status => { } }), 'NONE', 'an object');
is(rank('/poll', { }, headers => [ 'X-Status' => 'running' ]), 'STARTED',
	'from a header');
is(rank('/poll', { status => undef, jobs => [ { status => 'done' } ] }),
	'FINISHED', 'the next value');

is(rank('/poll', { jobs => [ { status => 'done' }, { status => 'failed' } ] }),
	'FINISHED', 'all of a list');
is(rank('/poll', { jobs => { a => { status => 'done' },
	b => { status => 'queued' } } }), 'STARTED', 'some of an object');
is(rank('/poll', { jobs => [ { status => 'done' }, { } ] }), 'STARTED',
	'one without a status is not final');
is(rank('/poll', { jobs => [ { status => 'done' }, { status => undef } ] }),
	'STARTED', 'nor one of null');
is(rank('/poll', { jobs => [ { status => 'queued' }, { status => 'queued' } ] }),
	'LAUNCHED', 'all of a list wait');
is(rank('/poll', { jobs => [ ] }), 'NONE', 'an empty list');

# of two wildcards, what has nothing for the second one is not final either

my $done = { jobs => [ { s => 'done', end => 1 } ] };

for ([ $done, 'FINISHED' ], [ { }, 'STARTED' ], [ { jobs => undef }, 'STARTED' ],
	[ { jobs => 'x' }, 'STARTED' ], [ 7, 'STARTED' ], [ undef, 'STARTED' ],
	[ { jobs => [ ] }, 'FINISHED' ],
	[ { jobs => { a => { s => 'done', end => 2 } } }, 'FINISHED' ],
	[ { jobs => [ { } ] }, 'STARTED' ])
{
	my ($stage, $expected) = @$_;
	my $name = encoded($stage);

	is(rank($_, { stages => [ $done, $stage ] }), $expected,
		"$_: a stage $name") for qw! /stages /stages-dates !;
}

is(rank('/stages', { stages => { a => { }, b => $done } }), 'STARTED',
	'a stage of an object');
is(rank('/stages', { stages => [ { }, { } ] }), 'NONE', 'no jobs at all');
is(rank('/stages-none', { status => 'running', stages => [ { },
	{ jobs => [ ] } ] }), 'STARTED', 'what is not there is not bad');

is(rank('/wait', { status => 'strange' }), 'LAUNCHED',
	'unknown, and not what being started looks like');
is(rank('/wait', { status => 'strange', start => 0 }), 'STARTED',
	'unknown, and started');
is(rank('/wait', { status => 'running' }), 'STARTED', 'the higher counts');
is(rank('/wait', { status => 'done', start => 1 }), 'FINISHED',
	'the higher counts');

is(rank('/dates', { start => undef }), 'NONE', 'null is not present');
is(rank('/dates', { start => JSON::PP::false }), 'STARTED', 'false is');
is(rank('/dates', { start => '' }), 'STARTED', 'and so is ""');
is(rank('/dates', { begun => 'no' }), 'NONE', 'another value');
is(rank('/dates', { begun => 'yes' }), 'STARTED', 'the value');
is(rank('/dates', { end => 1 }), 'FINISHED', 'FINISHED');
is(rank('/dates', { ok => JSON::PP::true }), 'FINISHED', 'a boolean value');
is(rank('/dates', { ok => JSON::PP::false }), 'NONE', 'the other one');
is(rank('/dates', { all => [ { end => 1 }, { end => 2 } ] }), 'FINISHED',
	'present in all');
is(rank('/dates', { all => [ { end => 1 }, { } ] }), 'STARTED',
	'present in some');

@e = events('GET', '/dates', { id => 'd1', start => 1, meta => 2, x => 3 });
is_deeply($e[0]{execution}, { id => 'd1', x => 3 }, 'omit adds');

# what counts

for (
	[ { kind => 'run' }, 'STARTED' ],
	[ { kind => 'xyz', tag => 'final' }, 'STARTED' ],
	[ { kind => 'other' }, '' ],
	[ { kind => 'run', tag => 'draft' }, '' ],
	[ { }, '' ],
)
{
	my ($doc, $expected) = @$_;
	my $name = encoded($doc);

	is(names(events('GET', '/require', { %$doc, id => $fresh++,
		status => 'running' })), $expected, "require $name");
}

for ([ [ 'a' ], 'STARTED' ], [ [ 'c', 'a' ], 'STARTED' ], [ [ 'c' ], '' ],
	[ [ 'a', 'b' ], '' ], [ [ ], '' ])
{
	my ($tags, $expected) = @$_;

	is(names(events('GET', '/require-any', { tags => $tags,
		id => $fresh++, status => 'running' })), $expected,
		"require of @$tags");
}

# an object or a list is no text, nor the empty one

for ([ '', 'x', 'STARTED' ], [ '', { }, 'STARTED' ], [ '', [ 1 ], 'STARTED' ],
	[ '', undef, 'STARTED' ], [ '', '', '' ], [ 'x', 'x', '' ],
	[ { a => 1 }, 'x', '' ], [ [ ], 'x', '' ])
{
	my ($error, $note, $expected) = @$_;
	my $doc = { error => $error, note => $note };
	my $name = encoded($doc);

	is(names(events('GET', '/require-empty', { %$doc, id => $fresh++,
		status => 'running' })), $expected, "require: $name");
}

is(rank('/present-empty', { x => '' }), 'STARTED', 'present: ""');
is(rank('/present-empty', { x => { } }), 'NONE', 'present: an object is not');

# many

@e = events('GET', '/list', { jobs => { x => { id => 'l1', status => 'running',
	hidden => 1, meta => 2 }, y => { id => 'l2', status => 'queued' },
	z => { status => 'running' } } });
is_deeply([ sort map { "$_->{execution}{id} $_->{event}" } @e ],
	[ 'l1 STARTED', 'l2 LAUNCHED' ], 'each');
is_deeply([ map { $_->{execution} } grep { $_->{execution}{id} eq 'l1' } @e ],
	[ { id => 'l1', status => 'running', hidden => 1 } ],
	'pointers are relative to the element');

@e = events('GET', '/list', { item => { jobs => [ 71, 72 ] } },
	headers => [ 'X-Status' => 'queued' ]);
is_deeply([ map { $_->{execution} } @e ], [ { id => 71 }, { id => 72 } ],
	'bare numbers') or diag(encoded(\@e));

@e = events('GET', '/list', { jobs => [ map { { id => "n$_",
	status => 'queued' } } 1 .. 1005 ] });
is(scalar @e, 1000, 'at most 1000');
is($e[-1]{execution}{id}, 'n1000', 'the first ones');

is(names(events('GET', '/one', { envelope => { id => 'o1',
	status => 'running' } })), 'STARTED', 'each names one element');
is(names(events('GET', '/one', { id => 'o2', status => 'running' })),
	'STARTED', 'or the document');

@e = events('GET', '/poll', { id => 'j1', status => 'running',
	jobs => [ { id => 1, hidden => 's' }, { id => 2 } ] });
is_deeply($e[0]{project}, { list => [ 1, 2 ] }, 'a list by a wildcard');
is_deeply($e[0]{execution}{jobs}, [ { id => 1 }, { id => 2 } ],
	'omit by a wildcard');

# updates

sub updates {
	my (@docs) = @_;

	my $id = 'u' . $fresh++;

	return join ' ', map { names(events('GET', '/poll',
		'{"id":"' . $id . '","status":"running",' . $_ . '}')) || '-' }
		@docs;
}

is(updates('"progress":1', '"progress":1,"a":1', '"progress":2'),
	'STARTED - UPDATED', 'a number');
is(updates('"progress":1', '"a":1', '"progress":1', '"progress":null,"b":2'),
	'STARTED - - -', 'an absence is no change');
is(updates('"a":1', '"progress":1'), 'STARTED UPDATED', 'appearing is one');
is(updates('"shape":{"a":1,"b":[1,2]}', '"shape":{"b":[1,2],"a":1}',
	'"shape":{"b":[2,1],"a":1}'), 'STARTED - UPDATED',
	'an object, in whatever order');
is(updates('"jobs":[{"p":1},{"p":2}]', '"jobs":[{"p":1},{"p":2,"q":1}]',
	'"jobs":[{"p":1},{"p":3}]'), 'STARTED - UPDATED', 'a wildcard');

# two descriptions

@e = events('GET', '/poll', { id => 'two', other => 'x', status => 'running' });
is_deeply([ map { $_->{execution}{id} } @e ], [ 'two' ],
	'the first whose route matches');

# documents that cannot be read

for my $doc ('', 'Not Found', '{', '{"id":1', '[]', '[1]', '"x"',
	'{"id":99999999999999999999}')
{
	is(names(events('POST', '/launch', $doc)), '', "not read: '$doc'");
}

# virtuoso.conf and rclone.conf, with documents as the APIs send them

my $samples = repo() . '/t/samples/virtuoso';

@e = events('POST', '/api/goals/3001/execute',
	read_file("$samples/INFERRED-launch-goal-envelope.json"));
is(names(@e), 'LAUNCHED', 'virtuoso: launch');
is($e[0]{execution}{id}, 90001, 'virtuoso: id');
is_deeply($e[0]{goal}, { id => 3001 }, 'virtuoso: goal');
is_deeply($e[0]{snapshot}, { id => 5001 }, 'virtuoso: snapshot');
is_deeply($e[0]{sender}, { id => 42 }, 'virtuoso: sender');
ok(!exists $e[0]{execution}{meta}, 'virtuoso: no meta');

for ([ 'INFERRED-status-not-started-noenvelope', '' ],
	[ 'INFERRED-status-running-noenvelope', 'STARTED' ],
	[ 'error-401', '' ],
	[ 'status-finished-envelope-fullsize-scrubbed', 'FINISHED' ],
	[ 'status-finished-noenvelope', '' ])
{
	my ($name, $expected) = @$_;

	@e = events('GET', '/api/executions/90001/status',
		read_file("$samples/$name.json"));
	is(names(@e), $expected, "virtuoso: $name");
}

@e = events('POST', '/api/goals/7/snapshots/8/execute', '{"id":1}');
is_deeply($e[0]{goal}, { id => '7' }, 'virtuoso: goal from the path');
is_deeply($e[0]{snapshot}, { id => '8' }, 'virtuoso: and snapshot');

@e = events('PUT', '/api/plans/executions/81001/execute', read_file(
	"$samples/INFERRED-launch-plan-noenvelope.json") =~ s/9000/9100/gr);
is_deeply([ map { $_->{execution}{id} } @e ], [ 91001, 91002 ],
	'virtuoso: a plan');

my $detail = read_file("$samples/execution-detail-noenvelope-fullsize-" .
	'scrubbed.json');

$detail =~ s/"status": "FINISHED"/"status": "RUNNING"/;
$detail =~ s/90001/92001/;

@e = events('GET', '/api/executions/92001', $detail);
is(names(@e), 'STARTED', 'virtuoso: detail');
is_deeply($e[0]{sender}, { id => 42, email => 'user@example.test',
	name => 'Example User' }, 'virtuoso: sender');
unlike(encoded(\@e), qr/password|username|usedData"?:\{|testDataValue|xxxx/,
	'virtuoso: no data of tests');

for my $uri ('GET /api/executions/analysis/1', 'GET /api/executions/1/suites/2',
	'POST /api/executions/1/failures/explain', 'GET /api/executions/1/',
	'GET /api/goals/metrics/executions', 'POST /api/executions/1/status',
	'GET /api/plans/executions/status/1', 'POST /api/goals/x/execute')
{
	is(names(events(split(/ /, $uri), { id => $fresh++,
		status => 'RUNNING', startDate => 1 })), '',
		"virtuoso: not $uri");
}

@e = events('POST', '/rc/sync/copy', '{"jobid":3}');
is_deeply($e[0], { type => 'EXECUTION', event => 'LAUNCHED',
	execution => { id => 3 }, goal => { name => 'sync/copy' } },
	'rclone: launch');
is(names(events('POST', '/sync/copy', '{}')), '', 'rclone: not async');

my $status = '"duration":0,"endTime":"0001-01-01T00:00:00Z","error":"",' .
	'"group":"job/3","id":3,"output":{"key":"value"},' .
	'"startTime":"2026-11-24T16:56:16.53074269Z"';

is(names(events('POST', '/job/status', "{$status,\"finished\":false," .
	'"success":false}')), 'STARTED', 'rclone: running');
@e = events('POST', '/job/status', "{$status,\"finished\":true," .
	'"success":true}');
is(names(@e), 'FINISHED', 'rclone: finished');
ok(!exists $e[0]{execution}{output}, 'rclone: no output');
is(names(events('POST', '/job/status', '{"jobid":4}')), '',
	'rclone: a status asked for with _async');

$t->done();

###############################################################################
