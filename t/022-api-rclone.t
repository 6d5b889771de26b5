#!/usr/bin/perl

# rclone.conf before a real rclone: a copy that is launched, polled and over.

###############################################################################

use warnings;
use strict;

use Test::More;

use WebhookTest;

###############################################################################

my ($rclone) = grep { -x } map { "$_/rclone" } split /:/, $ENV{PATH};

plan(skip_all => 'no rclone') unless $rclone;

my $t = WebhookTest->new();
my $hook = $t->receiver('hook');
my $rcd = '127.0.0.1:' . $t->port('rcd');

$t->http_config(<<"EOF");
    include %%CONF%%/webhook/rclone.conf;

    webhook hook {
        url     %%URL_hook%%/;
        events  EXECUTION;
    }

    server {
        listen  127.0.0.1:%%PORT_0%%;

        location / {
            proxy_pass                 http://$rcd;
            proxy_ignore_client_abort  on;
            webhook_observe            rclone;
        }
    }
EOF

my $dir = $t->dir();

mkdir "$dir/from";
$t->file('from/file', 'x' x 4000000);

my $pid = fork();
die "fork: $!" unless defined $pid;

if ($pid == 0) {
	$ENV{RCLONE_CONFIG} = "$dir/rclone.ini";
	$ENV{RCLONE_CACHE_DIR} = "$dir/cache";
	open STDOUT, '>', "$dir/rclone.log";
	open STDERR, '>&', \*STDOUT;
	exec $rclone, 'rcd', '--rc-no-auth', '--rc-addr', $rcd,
		'--bwlimit', '2M' or POSIX::_exit(127);
}

END { local $?; if ($pid) { kill 'KILL', $pid; waitpid($pid, 0) } }

$t->run();

ok(wait_for(sub { call('rc/noop')->status == 200 }), 'rclone is there');

sub call {
	my ($name, $body) = @_;

	return $t->request('POST', "/$name", body => $body || '{}',
		headers => [ 'Content-Type' => 'application/json' ]);
}

# a call that waits for its result is no launch

is(call('operations/list', "{\"fs\":\"$dir\",\"remote\":\"\"}")->status, 200,
	'a list');

my $job = call('sync/copy', "{\"srcFs\":\"$dir/from\"," .
	"\"dstFs\":\"$dir/to\",\"_async\":true}")->json()->{jobid};

ok($job, 'a job');

ok(wait_for(sub {
	call('job/status', "{\"jobid\":$job}")->json()->{finished};
}, 30), 'over');

my @requests = $hook->wait_requests(3);
my @events = map { $_->json() } @requests;

is_deeply([ map { $_->{event} } @events ],
	[ 'LAUNCHED', 'STARTED', 'FINISHED' ], 'events');
is_deeply([ map { $_->{execution}{id} } @events ], [ $job, $job, $job ],
	'ids');
is_deeply($events[0]{goal}, { name => 'sync/copy' }, 'what was launched');

ok($events[2]{execution}{success}, 'success');
ok(!exists $events[2]{execution}{output}, 'no output');

is(call('job/status', '{"jobid":' . ($job + 1000) . '}')->status, 500,
	'a job that is unknown');
is(scalar $hook->requests(), 3, 'no more events');

# any call may be made so, and what only repeats its request is none

is(call('rc/noop', '{"jobid":7}')->json()->{jobid}, 7, 'no job');

$job = call('core/version', '{"_async":true}')->json()->{jobid};

ok(wait_for(sub {
	call('job/status', "{\"jobid\":$job}")->json()->{finished};
}, 30), 'another call is over');

@events = map { $_->json() } $hook->wait_requests(6);

is_deeply([ map { $_->{event} } @events[3 .. $#events] ],
	[ 'LAUNCHED', 'STARTED', 'FINISHED' ], 'events of another call');
is($events[3]{execution}{id}, $job, 'its id');
is_deeply($events[3]{goal}, { name => 'core/version' }, 'what it was');

$t->done();

###############################################################################
