#!/usr/bin/perl

# The other shipped descriptions: documents of GitHub Actions, GitLab, Step
# Functions, Jenkins, Kubernetes and Airflow through nginx, to what a receiver
# gets.

###############################################################################

use warnings;
use strict;

use JSON::PP;
use Test::More;

use WebhookTest;

###############################################################################

my @apis = qw/ github-actions gitlab stepfunctions jenkins kubernetes-jobs
	airflow /;

my $t = WebhookTest->new(workers => 1);
my $r = $t->receiver('r');
my %up = map { ($_ => $t->upstream($_)) } @apis;

my $servers = join '', map { <<"EOF" } @apis;

server {
    listen 127.0.0.1:@{[ $t->port("$_-server") ]};

    location / {
        proxy_pass @{[ $up{$_}->url ]};
        proxy_ignore_client_abort on;
        webhook_observe $_;

        webhook $_ {
            url %%URL_r%%/$_;
            events EXECUTION;
        }
    }
}
EOF

$servers .= <<'EOF';

server {
    listen 127.0.0.1:%%PORT_0%%;

    location /status {
        webhook_status;
    }
}
EOF

my $includes = join '', map { "include %%CONF%%/webhook/$_.conf;\n" } @apis;

# what a description has to uncomment

for my $file (glob repo('conf/webhook/*.conf')) {
	my $text = read_file($file);

	next unless $text =~ s/^    # (watch(?:_header)? +\S+.*;)$/    $1/mg;

	my ($ok, $said) = $t->test_config($text);
	ok($ok && $said !~ /\[warn\]/, "with watch: $file") or diag($said);
}

$t->http_config("$includes $servers");
$t->run();

###############################################################################

my ($api, $seen, %answer, %sent);

# what the API answers to a request, and the events that come of it

sub events {
	my ($method, $uri, $status, $document, @headers) = @_;

	my ($path) = $uri =~ /^([^?]*)/;

	$up{$api}->set($path => { status => $status, headers => {
		'Content-Type' => 'application/json', %answer },
		body => ref $document ? JSON::PP->new->encode($document)
			: $document });

	$t->request($method, $uri, port => "$api-server", body =>
		$method eq 'GET' ? undef : JSON::PP->new->encode(\%sent),
		headers => \@headers);

	# an event of another execution, begun later, is queued behind

	return barrier($method, $path, @headers);
}

my $n = 0;

sub barrier {
	my ($method, $path, @headers) = @_;

	my ($m, $p, $status, $document, @more) = @{ {
		'github-actions' => ['POST',
			'/repos/o/r/actions/workflows/1/dispatches', 200,
			'{"workflow_run_id":' . (1e9 + ++$n) . '}'],
		gitlab => ['POST', '/api/v4/projects/1/pipeline', 201,
			'{"id":' . (1e9 + ++$n) . '}'],
		stepfunctions => ['POST', '/', 200,
			'{"executionArn":"' . (1e9 + ++$n) . '"}',
			'X-Amz-Target' => 'AWSStepFunctions.StartExecution'],
		jenkins => ['GET', '/job/barrier/1/api/json', 200,
			'{"building":true,"queueId":' . (1e9 + ++$n) . '}'],
		'kubernetes-jobs' => ['POST',
			'/apis/batch/v1/namespaces/ns/jobs', 201,
			'{"kind":"Job","metadata":{"uid":"' . (1e9 + ++$n) . '"}}'],
		airflow => ['POST', '/api/v2/dags/b/dagRuns', 200,
			'{"dag_id":"b","dag_run_id":"' . (1e9 + ++$n) . '"}'],
	}->{$api} };

	$up{$api}->set($p => { status => $status, body => $document });
	$t->request($m, $p, port => "$api-server", body => '{}',
		headers => \@more);

	my ($id) = $document =~ /(1\d{9})/;

	$r->wait_request(sub { $_[0]->path eq "/$api"
		&& $_[0]->json->{execution}{id} =~ m{^(?:b/)?$id$}
		|| ($_[0]->json->{execution}{executionArn} || '') eq $id });

	# it does not wait for an answer to LAUNCHED, what comes after LAUNCHED does

	wait_for {
		my $hook = $t->get("/status/hooks/$api")->json;
		!$hook->{waiting} && !$hook->{in_flight};
	} or die "$api: deliveries wait\n";

	my @all = grep { $_->path eq "/$api" } $r->requests;
	my @new = @all[($seen->{$api} || 0) .. $#all];
	$seen->{$api} = @all;

	return grep { $_->{execution}{id} !~ m{^(?:b/)?1\d{9}$} }
		map { $_->json } @new;
}

sub names { join ' ', map { $_->{event} } @_ }
sub sample { read_file(repo("t/samples/$_[0]")) }

sub with {
	my ($name, %changes) = @_;
	my $d = json(sample($name));

	$d->{$_} = $changes{$_} for keys %changes;

	return JSON::PP->new->canonical->encode($d);
}

###############################################################################

$api = 'github-actions';

my $run = '/repos/octo-org/octo-repo/actions/runs/30433642';

is(names(events('POST', '/repos/o/r/actions/workflows/w.yml/dispatches', 204,
	'')), '', 'github - dispatch without a body');

my @e = events('POST', '/api/v3/repos/o/r/actions/workflows/w.yml/dispatches',
	200, sample('github-actions/dispatch-return_run_details-200.json'));
is(names(@e), 'LAUNCHED', 'github - dispatch');
is($e[0]{execution}{id}, 999, 'github - its id');
like($e[0]{execution}{html_url}, qr/999$/, 'github - its page');

@e = events('GET', $run, 200, sample('github-actions/run-queued.json'));
is(names(@e), 'LAUNCHED', 'github - queued');
is($e[0]{goal}{id}, 159038, 'github - workflow');
is($e[0]{goal}{name}, 'Build', 'github - its name');
is($e[0]{snapshot}{id}, 'acb5820ced9479c074f688cc328bf03f341a511d',
	'github - commit');
ok(!exists $e[0]{execution}{pull_requests}, 'github - no bulk');

is(names(events('GET', '/repos/octo-org/octo-repo/actions/runs?per_page=1', 200,
	sample('github-actions/list-runs-queued.json'))), '',
	'github - list, nothing new');
is(names(events('GET', "$run/attempts/1", 200,
	sample('github-actions/INFERRED-run-in_progress.json'))), 'STARTED',
	'github - in progress');
is(names(events('GET', "$run/jobs", 200, '{"id":30433642,"status":"completed"}')),
	'', 'github - jobs are something else');

@e = events('GET', $run, 200,
	sample('github-actions/INFERRED-run-completed-success.json'));
is(names(@e), 'FINISHED', 'github - completed');
is($e[0]{execution}{conclusion}, 'success', 'github - conclusion');

# what waits for somebody's approval is completed, for GitHub

my %waits = (id => 30433643, run_attempt => 1);

@e = events('GET', $run, 200, with(
	'github-actions/INFERRED-run-completed-success.json', %waits,
	conclusion => 'action_required'));
is(names(@e), 'LAUNCHED', 'github - awaits approval');
is(names(events('GET', $run, 200, with(
	'github-actions/INFERRED-run-in_progress.json', %waits))), 'STARTED',
	'github - approved');
is(names(events('GET', $run, 200, with(
	'github-actions/INFERRED-run-completed-success.json', %waits,
	conclusion => 'cancelled'))), 'FINISHED', 'github - cancelled');

# further pages of a list are linked by the repository's number

is(names(events('GET', '/repositories/1296269/actions/runs?page=2', 200,
	JSON::PP->new->encode({ workflow_runs => [ json(with(
	'github-actions/INFERRED-run-in_progress.json', id => 30433644)) ] }))),
	'STARTED', 'github - page 2');

is(names(events('POST', "$run/rerun-failed-jobs", 201, '{}')), 'LAUNCHED',
	'github - run again');
is(names(events('GET', $run, 200, with('github-actions/run-queued.json',
	run_attempt => 2))), '', 'github - still queued');
is(names(events('GET', $run, 200,
	sample('github-actions/INFERRED-run-completed-success.json'))), '',
	'github - the first attempt is past');
is(names(events('GET', $run, 200,
	with('github-actions/INFERRED-run-completed-success.json',
	run_attempt => 2))), 'STARTED FINISHED', 'github - completed again');

###############################################################################

$api = 'gitlab';

my $pipelines = '/api/v4/projects/1/pipelines';

@e = events('POST', '/api/v4/projects/group%2Fproject/pipeline?ref=main', 201,
	sample('gitlab/create-pipeline-response.json'));
is(names(@e), 'LAUNCHED', 'gitlab - created');
is($e[0]{project}{id}, 1, 'gitlab - project');
is($e[0]{sender}{name}, 'Administrator', 'gitlab - sender');
ok(!exists $e[0]{execution}{user}, 'gitlab - no account');

is(names(events('GET', $pipelines, 200, sample('gitlab/list-pipelines.json'))),
	'LAUNCHED LAUNCHED', 'gitlab - list');
is(names(events('PUT', "$pipelines/46/metadata", 200,
	sample('gitlab/update-metadata-running.json'))), 'STARTED',
	'gitlab - running');
is(names(events('GET', "$pipelines/46", 200,
	with('gitlab/get-pipeline-success.json', id => 46))), 'FINISHED',
	'gitlab - success');
is(names(events('POST', "$pipelines/46/retry", 201,
	with('gitlab/create-pipeline-response.json', id => 46))), 'LAUNCHED',
	'gitlab - retried');
is(names(events('GET', "$pipelines/46", 200,
	with('gitlab/get-pipeline-success.json', id => 46))), '',
	'gitlab - a poll shows it as it was');
is(names(events('POST', "$pipelines/46/cancel", 200,
	with('gitlab/cancel-pipeline-response.json', id => 46,
	status => 'canceled', finished_at => '2022-09-21T02:00:00.000Z'))),
	'STARTED FINISHED', 'gitlab - canceled');

# the answer to a retry may show it as it was

sub pipeline { with('gitlab/create-pipeline-response.json', @_) }

sub ended { pipeline(id => 46, status => $_[0], finished_at =>
	"2022-09-21T0$_[1]:00:00.000Z") }

is(names(events('POST', "$pipelines/46/retry", 201, ended('canceled', 2))),
	'LAUNCHED', 'gitlab - retried, not yet known');
is(names(events('GET', "$pipelines/46", 200, ended('canceled', 2))), '',
	'gitlab - nor to a poll');
is(names(events('GET', "$pipelines/46", 200, ended('running', 2))), 'STARTED',
	'gitlab - runs again');
is(names(events('GET', "$pipelines/46", 200, ended('canceled', 2))), '',
	'gitlab - another that was late');
is(names(events('GET', "$pipelines/46", 200, ended('failed', 3))), 'FINISHED',
	'gitlab - failed');

@e = events('POST', '/api/v4/projects/1/jobs/8/retry', 201, {
	id => 8, name => 'test', status => 'pending', pipeline => {
		id => 46, project_id => 1, ref => 'main', status => 'failed' } });
is(names(@e), 'LAUNCHED', 'gitlab - a job of it retried');
is_deeply($e[0]{execution}, { id => 46, project_id => 1, ref => 'main',
	status => 'failed' }, 'gitlab - the pipeline of the job');
is(names(events('GET', "$pipelines/46", 200, ended('failed', 3))), '',
	'gitlab - the pipeline as it was');
is(names(events('GET', "$pipelines/46", 200, ended('success', 4))),
	'STARTED FINISHED', 'gitlab - success at last');

is(names(events('POST', '/api/v4/projects/1/merge_requests/5/pipelines', 200,
	pipeline(id => 62, status => 'pending'))), 'LAUNCHED',
	'gitlab - of a merge request');
is(names(events('GET', "$pipelines/62", 200, pipeline(id => 62,
	status => 'running'))), 'STARTED', 'gitlab - it runs');
@e = events('DELETE', "$pipelines/62", 204, '');
is(names(@e), 'FINISHED', 'gitlab - deleted');
is_deeply($e[0]{execution}, { id => '62' }, 'gitlab - what is known of it');
is(names(events('DELETE', "$pipelines/63", 204, '')), '',
	'gitlab - one that was unknown');

is(names(events('GET', "$pipelines/46/variables", 200,
	'[{"id":7,"status":"running"}]')), '', 'gitlab - variables');

###############################################################################

$api = 'stepfunctions';

my @start = ('X-Amz-Target' => 'AWSStepFunctions.StartExecution');
my @describe = ('X-Amz-Target' => 'AWSStepFunctions.DescribeExecution');

@e = events('POST', '/', 200,
	sample('stepfunctions/start-execution-response.json'), @start);
is(names(@e), 'LAUNCHED', 'stepfunctions - started');
like($e[0]{execution}{id}, qr/^arn:.*run-0001$/, 'stepfunctions - id');

@e = events('POST', '/', 200,
	sample('stepfunctions/describe-execution-running.json'), @describe);
is(names(@e), 'STARTED', 'stepfunctions - running');
is($e[0]{goal}{id},
	'arn:aws:states:us-east-1:123456789012:stateMachine:HelloWorld',
	'stepfunctions - state machine');
ok(!exists $e[0]{execution}{input}, 'stepfunctions - no input');

is(names(events('POST', '/', 200,
	sample('stepfunctions/describe-execution-failed.json'), @describe)),
	'FINISHED', 'stepfunctions - failed');
is(names(events('POST', '/', 200,
	with('stepfunctions/describe-execution-running.json',
	redriveCount => 1), @describe)), 'LAUNCHED STARTED',
	'stepfunctions - driven again');
is(names(events('POST', '/', 200,
	with('stepfunctions/describe-execution-succeeded.json',
	redriveCount => 1), @describe)), 'FINISHED',
	'stepfunctions - succeeded');

# driven again through nginx: the request alone names it

%sent = (executionArn => json(sample(
	'stepfunctions/describe-execution-succeeded.json'))->{executionArn});

@e = events('POST', '/', 200, '{"redriveDate":1.7E9}', 'X-Amz-Target' =>
	'AWSStepFunctions.RedriveExecution');
is(names(@e), 'LAUNCHED', 'stepfunctions - driven again, answer');
is_deeply($e[0]{execution}, { id => $sent{executionArn} },
	'stepfunctions - driven again, execution');
%sent = ();

is(names(events('POST', '/', 200,
	with('stepfunctions/describe-execution-succeeded.json',
	redriveCount => 1), @describe)), '',
	'stepfunctions - the run before is past');
is(names(events('POST', '/', 200,
	with('stepfunctions/describe-execution-running.json',
	redriveCount => 2), @describe)), 'STARTED',
	'stepfunctions - runs once more');

# an express one that is waited for: one answer says all

@e = events('POST', '/', 200,
	with('stepfunctions/describe-execution-failed.json', executionArn =>
	'arn:aws:states:us-east-1:123456789012:express:HelloWorld:a:b'),
	'X-Amz-Target' => 'AWSStepFunctions.StartSyncExecution');
is(names(@e), 'LAUNCHED STARTED FINISHED', 'stepfunctions - synchronous');
is($e[2]{execution}{status}, 'FAILED', 'stepfunctions - its end');
ok(!exists $e[2]{execution}{input}, 'stepfunctions - no input of it');

is(names(events('POST', '/', 200,
	with('stepfunctions/describe-execution-running.json',
	executionArn => 'x'), 'X-Amz-Target' =>
	'AWSStepFunctions.GetExecutionHistory')), '',
	'stepfunctions - something else');

###############################################################################

$api = 'jenkins';

my $build = { _class => 'org.jenkinsci.plugins.workflow.job.WorkflowRun',
	actions => [ { parameters => [ { name => 'x', value => 's3cret' } ] } ],
	building => JSON::PP::true, displayName => '#17', id => '17',
	number => 17, queueId => 42, result => undef };

%answer = (Location => 'http://ci.example.com/queue/item/42/');
@e = events('POST', '/job/team/job/web/buildWithParameters?x=1', 201, '');
is(names(@e), 'LAUNCHED', 'jenkins - launched');
is_deeply($e[0]{execution}, { id => '42' }, 'jenkins - its item');
is($e[0]{goal}{name}, 'team/job/web', 'jenkins - its job');
is(names(events('POST', '/job/team/job/web/build', 302, '')), '',
	'jenkins - a redirect, perhaps to a login');
%answer = ();

my $item = { id => 42, task => { name => 'web' }, cancelled =>
	JSON::PP::false, why => 'Waiting for next available executor' };

is(names(events('GET', '/queue/item/42/api/json', 200, $item)), '',
	'jenkins - waits');
@e = events('GET', '/queue/item/42/api/json', 200, { %$item,
	why => undef, executable => { number => 17, url => 'x' } });
is(names(@e), 'STARTED', 'jenkins - has left the queue');
is($e[0]{execution}{executable}{number}, 17, 'jenkins - its build');
is(names(events('GET', '/job/team/job/web/17/api/json', 200, $build)), '',
	'jenkins - builds');
@e = events('GET', '/job/team/job/web/lastBuild/api/json', 200, { %$build,
	building => JSON::PP::false, result => 'FAILURE' });
is(names(@e), 'FINISHED', 'jenkins - finished');
is($e[0]{execution}{id}, 42, 'jenkins - one id');
is($e[0]{execution}{result}, 'FAILURE', 'jenkins - result');
ok(!exists $e[0]{execution}{actions}, 'jenkins - no parameters');
is(names(events('GET', '/job/web/api/json?tree=builds[number,queueId,building]',
	200, { builds => [ { %$build, queueId => 43 }, { %$build, queueId => -1 },
	{ number => 3 } ] })), 'STARTED', 'jenkins - list');

%answer = (Location => 'http://ci.example.com/queue/item/44/');
is(names(events('POST', '/ci/job/web/build', 201, '')), 'LAUNCHED',
	'jenkins - below a path');
%answer = ();
is(names(events('GET', '/ci/queue/item/44/api/json', 200, { %$item, id => 44,
	cancelled => JSON::PP::true })), 'STARTED FINISHED',
	'jenkins - cancelled in the queue');

# a trigger with a token, as scripts use it

%answer = (Location => 'http://ci.example.com/queue/item/45/');
is(names(events('GET', '/job/web/build?token=x', 201, '')), 'LAUNCHED',
	'jenkins - launched by GET');
%answer = ();
is(names(events('POST', '/queue/cancelItem?id=46', 204, '')), '',
	'jenkins - an item that was unknown, cancelled');
@e = events('POST', '/queue/cancelItem?id=45', 204, '');
is(names(@e), 'STARTED FINISHED', 'jenkins - cancelled by its item');
is_deeply($e[1]{execution}, { id => '45' }, 'jenkins - which was it');

###############################################################################

$api = 'kubernetes-jobs';

my $jobs = '/apis/batch/v1/namespaces/ns/jobs';

sub kubernetes {
	my ($uid, %status) = @_;

	return { kind => 'Job', apiVersion => 'batch/v1', metadata => {
		name => 'pi', namespace => 'ns', uid => $uid, managedFields => [] },
		spec => { template => {} }, status => \%status };
}

sub conditions {
	return conditions => [ map { { type => $_, status => 'True' } } @_ ];
}

my @started = (startTime => '2026-11-28T12:00:00Z');

@e = events('POST', $jobs, 201, kubernetes('u1'));
is(names(@e), 'LAUNCHED', 'kubernetes - created');
is_deeply($e[0]{execution}, { kind => 'Job', apiVersion => 'batch/v1',
	metadata => { name => 'pi', namespace => 'ns', uid => 'u1' },
	status => {}, id => 'u1' }, 'kubernetes - what is sent');
is_deeply([ $e[0]{goal}, $e[0]{project} ], [ { name => 'pi' },
	{ name => 'ns' } ], 'kubernetes - name and namespace');
is(names(events('POST', $jobs, 201, { kind => 'Status', metadata => {
	uid => 'u9' } })), '', 'kubernetes - something else');
is(names(events('GET', "$jobs/pi", 200, kubernetes('u1', @started,
	active => 1))), 'STARTED', 'kubernetes - runs');
is(names(events('GET', "$jobs/pi", 200, kubernetes('u1', @started,
	active => 1, failed => 1))), 'UPDATED', 'kubernetes - a pod failed');
is(names(events('GET', "$jobs/pi", 200, kubernetes('u1', @started,
	failed => 1, conditions('FailureTarget')))), '',
	'kubernetes - being ended');
is(names(events('GET', "$jobs/pi", 200, kubernetes('u1', @started,
	failed => 1, conditions('FailureTarget', 'Failed')))), 'FINISHED',
	'kubernetes - failed');
is(names(events('GET', $jobs, 200, { kind => 'JobList', items => [
	map { { %$_, kind => undef } }
		kubernetes('u1', @started, failed => 1, conditions('Failed')),
		kubernetes('u2', @started, active => 1) ] })), 'STARTED',
	'kubernetes - list');
is(names(events('GET', "$jobs/pi", 200, kubernetes('u2', @started,
	succeeded => 1, conditions('SuccessCriteriaMet', 'Complete')))),
	'FINISHED', 'kubernetes - complete');

is(names(events('POST', "$jobs?fieldManager=x&dryRun=All", 201,
	kubernetes('u3'))), '', 'kubernetes - a dry run');
is(names(events('PATCH', "$jobs/pi?fieldManager=x&dryRun=All", 201,
	kubernetes('u3'))), '', 'kubernetes - a dry run of applying it');
is(names(events('PATCH', "$jobs/pi?fieldManager=x", 201, kubernetes('u3'))),
	'LAUNCHED', 'kubernetes - created by the server applying it');
is(names(events('PATCH', "$jobs/pi?fieldManager=x", 200, kubernetes('u4'))),
	'', 'kubernetes - something changed in it');

# what is deleted is over, and nothing tells it afterwards

sub deleted { { kind => 'Status', status => 'Success', metadata => {},
	details => { name => 'pi', group => 'batch', kind => 'jobs',
	uid => $_[0] } } }

is(names(events('DELETE', "$jobs/pi?dryRun=All", 200, deleted('u3'))), '',
	'kubernetes - a dry run of deleting it');
%sent = (dryRun => [ 'All' ], kind => 'DeleteOptions');
is(names(events('DELETE', "$jobs/pi", 200, deleted('u3'))), '',
	'kubernetes - the same, in the body');
%sent = (propagationPolicy => 'Background', kind => 'DeleteOptions');
@e = events('DELETE', "$jobs/pi", 200, deleted('u3'));
is(names(@e), 'STARTED FINISHED', 'kubernetes - deleted');
is_deeply([ @{$e[1]}{qw/ execution goal project /} ], [ { name => 'pi',
	group => 'batch', kind => 'jobs', uid => 'u3', id => 'u3' },
	{ name => 'pi' }, { name => 'ns' } ], 'kubernetes - what was deleted');
%sent = ();
is(names(events('DELETE', "$jobs/pi", 200, deleted('u1'))), '',
	'kubernetes - deleted after its end');

my $going = kubernetes('u5', @started, active => 1);

is(names(events('GET', "$jobs/pi", 200, $going)), 'STARTED',
	'kubernetes - another runs');
$going->{metadata}{deletionTimestamp} = '2026-11-28T12:05:00Z';
is(names(events('GET', "$jobs/pi", 200, $going)), 'FINISHED',
	'kubernetes - its pods are being removed');

is(names(events('GET', "$jobs?watch=true", 200,
	'{"type":"ADDED","object":{}}' . "\n" . '{"type":"ADDED"}')), '',
	'kubernetes - a watch is not read');

###############################################################################

$api = 'airflow';

my $dags = '/api/v1/dags/etl/dagRuns';
my $id = 'manual__2026-11-28T06:19:49.123456+00:00';

sub dag_run {
	my ($state, $start, %o) = @_;

	return { conf => { password => 'x' }, dag_id => 'etl', dag_run_id => $id,
		state => $state, start_date => $start, end_date => undef,
		run_type => 'manual', note => undef, %o };
}

my @dates = map { "2026-11-28T0$_:00:00.250000+00:00" } 6 .. 9;

@e = events('POST', $dags, 200, dag_run('queued'));
is(names(@e), 'LAUNCHED', 'airflow - triggered');
is($e[0]{execution}{id}, "etl/$id", 'airflow - id');
is_deeply($e[0]{goal}, { id => 'etl', name => 'etl' }, 'airflow - its DAG');
ok(!exists $e[0]{execution}{conf}, 'airflow - no configuration');
is(names(events('GET', "$dags/manual__2026-11-28T06%3A19%3A49.123456%2B00%3A00",
	200, dag_run('running', $dates[0]))), 'STARTED', 'airflow - runs');
is(names(events('POST', '/api/v1/dags/~/dagRuns/list', 200, { total_entries =>
	2, dag_runs => [ dag_run('running', $dates[0]), dag_run('queued', undef,
	dag_id => 'other') ] })), 'LAUNCHED', 'airflow - a list of all DAGs');
is(names(events('GET', "$dags/$id/taskInstances", 200, { task_instances => [ {
	dag_id => 'etl', dag_run_id => $id, state => 'failed' } ] })), '',
	'airflow - its tasks');
is(names(events('PATCH', "$dags/$id", 200, dag_run('failed', $dates[0]))),
	'FINISHED', 'airflow - set to failed');
is(names(events('POST', "$dags/$id/clear", 200, { task_instances => [ { dag_id
	=> 'etl', dag_run_id => $id } ], total_entries => 1 })), '',
	'airflow - a dry run');
is(names(events('POST', "$dags/$id/clear", 200, dag_run('queued'))), 'LAUNCHED',
	'airflow - cleared');
is(names(events('GET', "$dags/$id", 200, dag_run('failed', $dates[0]))), '',
	'airflow - shown as it was');
is(names(events('GET', "/airflow/api/v2/dags/etl/dagRuns/$id", 200,
	dag_run('running', '2026-11-28T07:00:00.25Z'))), 'STARTED',
	'airflow - runs again, below a path');
is(names(events('GET', '/api/v2/dags/etl/dagRuns?limit=1', 200, { dag_runs =>
	[ dag_run('success', $dates[1]) ] })), 'FINISHED', 'airflow - a list');
is(names(events('GET', "$dags/$id", 200, dag_run('queued', $dates[2]))),
	'LAUNCHED', 'airflow - a task was cleared');
is(names(events('GET', "$dags/$id", 200, dag_run('running', $dates[3]))),
	'STARTED', 'airflow - and runs');
is(names(events('GET', "$dags/gone", 200, dag_run('running', $dates[0],
	dag_run_id => 'gone'))), 'STARTED', 'airflow - another runs');
is(names(events('DELETE', "$dags/gone", 404, { title => 'x', status => 404 })),
	'', 'airflow - not deleted');
@e = events('DELETE', "$dags/gone", 204, '');
is(names(@e), 'FINISHED', 'airflow - deleted');
is_deeply([ @{$e[0]}{qw/ execution goal /} ], [ { id => 'etl/gone', dag_id =>
	'etl', dag_run_id => 'gone' }, { id => 'etl', name => 'etl' } ],
	'airflow - what was deleted');
is(names(events('POST', $dags, 409, { detail => 'x', title => 'Conflict',
	status => 409 })), '', 'airflow - a problem');

$t->done();

###############################################################################
