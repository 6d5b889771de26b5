#!/usr/bin/perl

# The other shipped descriptions: documents of GitHub Actions, GitLab and Step
# Functions through nginx, to what a receiver gets.

###############################################################################

use warnings;
use strict;

use JSON::PP;
use Test::More;

use WebhookTest;

###############################################################################

my @apis = qw/ github-actions gitlab stepfunctions /;

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

my ($api, $seen);

# what the API answers to a request, and the events that come of it

sub events {
	my ($method, $uri, $status, $document, @headers) = @_;

	my ($path) = $uri =~ /^([^?]*)/;

	$up{$api}->set($path => { status => $status, headers => {
		'Content-Type' => 'application/json' }, body => $document });

	$t->request($method, $uri, port => "$api-server", body =>
		$method eq 'GET' ? undef : '{}', headers => \@headers);

	# an event of another execution, begun later, comes behind

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
	}->{$api} };

	$up{$api}->set($p => { status => $status, body => $document });
	$t->request($m, $p, port => "$api-server", body => '{}',
		headers => \@more);

	my ($id) = $document =~ /(1\d{9})/;

	$r->wait_request(sub { $_[0]->path eq "/$api"
		&& $_[0]->json->{execution}{id} eq $id
		|| ($_[0]->json->{execution}{executionArn} || '') eq $id });

	my @all = grep { $_->path eq "/$api" } $r->requests;
	my @new = @all[($seen->{$api} || 0) .. $#all];
	$seen->{$api} = @all;

	return grep { $_->{execution}{id} !~ /^1\d{9}$/ } map { $_->json } @new;
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
is(names(events('POST', "$pipelines/46/cancel", 200,
	with('gitlab/cancel-pipeline-response.json', id => 46,
	status => 'canceled'))), 'STARTED FINISHED', 'gitlab - canceled');
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
is(names(events('POST', '/', 200,
	with('stepfunctions/describe-execution-running.json',
	executionArn => 'x'), 'X-Amz-Target' =>
	'AWSStepFunctions.GetExecutionHistory')), '',
	'stepfunctions - something else');

$t->done();

###############################################################################
