#!/usr/bin/perl

# Metrics: a format that Prometheus takes, in both its forms, and numbers that
# are what happened; the shipped alerts and dashboard ask for what there is.

###############################################################################

use warnings;
use strict;

use POSIX ();
use Test::More;

use WebhookTest;

###############################################################################

my $t = WebhookTest->new();
my $up = $t->upstream('up');
my $r = $t->receiver('r');
my $closed = $t->port('closed');

$t->http_config(<<EOF);

webhook_zone zone=webhooks:4m;
webhook_buffer_size 1k;

webhook_api jobs {
    id /id;
    state /status;
    states LAUNCHED queued;
    states STARTED running;
    states FINISHED done;
    updated /progress;

    route POST /api/jobs { launch; }
    route POST /api/watched { launch; watch /api/jobs/\$webhook_execution
        every=60s; }
    route GET /api/ignored { ignore; }
    route GET /api/strict { require /kind job; }
    route GET /api/jobs/* { }
}

server {
    listen 127.0.0.1:%%PORT_0%%;
    server_name localhost;

    location /api/ {
        proxy_pass %%URL_up%%;
        proxy_ignore_client_abort on;
        webhook_observe jobs;

        webhook good {
            url     %%URL_r%%/good;
            events  EXECUTION;
        }

        webhook bad {
            url     %%URL_r%%/bad?status=500;
            events  FINISHED;
            retry   10ms 10ms;
        }

        webhook gone {
            url     %%URL_r%%/gone?status=410;
            events  FINISHED;
        }

        webhook refused {
            url     http://127.0.0.1:$closed/;
            events  FINISHED;
            retry   off;
        }

        webhook late {
            url     %%URL_r%%/late?status=503;
            events  FINISHED;
            retry   1h;
        }

        webhook idle {
            url     %%URL_r%%/idle;
            events  UPDATED;
        }
    }

    location /status/ {
        webhook_status write=on;
    }
}

EOF

$t->run();

###############################################################################

# before anything happened

my $empty = metrics();
is($empty->{'nginx_webhook_events_total{event="FINISHED"}'}, 0, 'no event');
is($empty->{'nginx_webhook_state{webhook="good",state="ok"}'}, 1, 'ok');
ok(!exists $empty->{g('last_success_timestamp_seconds', 'good')},
	'no success');

# a run

answer('/api/jobs', '{"id":1,"status":"queued"}');
$t->post('/api/jobs', '{}');

answer('/api/jobs/1', '{"id":1,"status":"running","progress":1}');
$t->get('/api/jobs/1') for 1 .. 3;

answer('/api/jobs/1', '{"id":1,"status":"running","progress":2}');
$t->get('/api/jobs/1');
$r->wait_requests(3, 10, '/good');		# or it would be superseded

answer('/api/jobs/1', '{"id":1,"status":"done"}');
$t->get('/api/jobs/1');

# and all that makes no event

answer('/api/jobs/2', '{"id":2,"status":"dreaming"}');
$t->get('/api/jobs/2') for 1 .. 2;
answer('/api/jobs/2', '{"id":2,"status":"dreaming","more":1}');
$t->get('/api/jobs/2');
answer('/api/jobs/3', '{"status":"running"}');
$t->get('/api/jobs/3');
answer('/api/jobs/4', '{"id":4}');
$t->get('/api/jobs/4');
answer('/api/jobs/5', '<html>');
$t->get('/api/jobs/5');
answer('/api/jobs/6', '{"id":6,"n":99999999999999999999}');
$t->get('/api/jobs/6');
answer('/api/jobs/7', '{"id":7,"x":"' . 'x' x 2000 . '"}');
$t->get('/api/jobs/7');
$up->set('/api/jobs/8' => { headers => { 'Content-Encoding' => 'br' },
	body => 'x' });
$t->get('/api/jobs/8');
$t->get('/api/jobs/9');
$t->get('/api/nowhere');
answer('/api/strict', '{"id":5,"kind":"other","status":"done"}');
$t->get('/api/strict');
answer('/api/ignored', '{"id":5,"status":"done"}');
$t->get('/api/ignored');
$t->head('/api/jobs/1');

my $settled = wait_for {
	my $m = metrics();

	return $m->{d('good', 'delivered')} == 5 && $m->{d('bad', 'failed')} == 1
		&& $m->{d('refused', 'failed')} == 1
		&& $m->{a('late', '5xx')} == 1 && $m->{a('gone', '4xx')} == 1;
};
ok($settled, 'settled');

my $m = metrics();

###############################################################################

# events, observations

is($m->{qq(nginx_webhook_events_total{event="$_"})}, 1, "events - $_")
	for qw/ LAUNCHED UPDATED FINISHED /;
is($m->{'nginx_webhook_events_total{event="STARTED"}'}, 2,
	'events - STARTED, one of an unknown text');

my %reasons = ('events' => 5, 'unchanged' => 2, 'no route' => 1, 'status' => 1,
	'not JSON' => 1, 'inexact' => 1, 'no id' => 1, 'require' => 1,
	'no status' => 1, 'too large' => 1, 'encoding' => 1, 'total' => 0,
	'truncated' => 0, 'aborted' => 0, 'refused' => 0,
	'not enriched' => 0, 'unknown status text' => 2);

is($m->{qq(nginx_webhook_observations_total{reason="$_"})}, $reasons{$_},
	"observations - $_") for sort keys %reasons;

# attempts, deliveries

is($m->{a('good', 'delivered')}, 5, 'attempts - delivered');
is($m->{a('bad', '5xx')}, 3, 'attempts - 5xx');
is($m->{a('bad', 'delivered')}, 0, 'attempts - none delivered');
is($m->{a('refused', 'connect')}, 1, 'attempts - connect');
is($m->{d('bad', 'failed')}, 1, 'deliveries - failed');

# waiting, states

is($m->{g('deliveries_waiting', 'late')}, 1, 'waiting');
is($m->{g('deliveries_waiting', 'good')}, 0, 'waiting - none');
is($m->{g('deliveries_in_flight', 'late')}, 0, 'in flight');

my $older = wait_for {
	metrics()->{g('oldest_delivery_age_seconds', 'late')} > 0.5
};
ok($older, 'oldest');
is($m->{g('oldest_delivery_age_seconds', 'good')}, '0.000', 'oldest - none');

is($m->{qq(nginx_webhook_state{webhook="gone",state="gone"})}, 1, 'gone');
is($m->{qq(nginx_webhook_state{webhook="gone",state="ok"})}, 0, 'not ok');

my $success = $m->{g('last_success_timestamp_seconds', 'good')};
ok(abs($success - time()) < 60, 'last success');

# histograms

for my $name ('attempt_duration', 'delivery_latency') {
	my $h = "nginx_webhook_${name}_seconds";
	my $last = 0;
	my $rising = 1;

	for my $le ($name eq 'attempt_duration'
		? qw/ 0.005 0.01 0.025 0.05 0.1 0.25 0.5 1.0 2.5 5.0 15.0 60.0
			+Inf /
		: qw/ 0.01 0.025 0.05 0.1 0.25 0.5 1.0 5.0 30.0 300.0 3600.0
			86400.0 +Inf /)
	{
		my $n = $m->{qq(${h}_bucket{webhook="good",le="$le"})};

		$rising = 0 if !defined $n || $n < $last;
		$last = $n;
	}

	ok($rising, "$name - buckets");
	is($last, $m->{a('good', 'delivered')}, "$name - all in +Inf");
	is($m->{qq(${h}_count{webhook="good"})}, $last, "$name - count");
	like($m->{qq(${h}_sum{webhook="good"})}, qr/^\d+\.\d{3}$/,
		"$name - sum");
}

is($m->{'nginx_webhook_attempt_duration_seconds_count{webhook="bad"}'}, 3,
	'attempt_duration - failed ones');
is($m->{'nginx_webhook_delivery_latency_seconds_count{webhook="bad"}'}, 0,
	'delivery_latency - delivered ones only');

# connections, zone

my $attempts = 0;
$attempts += $m->{$_} for grep { /^nginx_webhook_attempts_total/ } keys %$m;

is($m->{'nginx_webhook_connections_total{kind="new"}'}
	+ $m->{'nginx_webhook_connections_total{kind="reused"}'}, $attempts,
	'connections');

my $use = 0;
$use += $m->{qq(nginx_webhook_zone_use_bytes{use="$_"})}
	for qw/ free states queue log watches /;

is($use, $m->{nginx_webhook_zone_size_bytes}, 'zone - all of it');
is($m->{nginx_webhook_zone_rebuilds_total}, 0, 'zone - rebuilt');
is($m->{'nginx_webhook_zone_use_bytes{use="states"}'},
	256 * $m->{nginx_webhook_executions}, 'zone - states');

my ($build) = grep { /^nginx_webhook_build_info/ } keys %$m;
like($build, qr/version="\d+\.\d+\.\d+",nginx="[\d.]+",libcurl="[\d.]+/,
	'build');

# an execution that is watched has a place, too

is($m->{'nginx_webhook_zone_use_bytes{use="watches"}'}, 0, 'zone - no watch');

answer('/api/watched', '{"id":"w","status":"queued"}');
$t->post('/api/watched', '{}');

my $watched = wait_for {
	metrics()->{'nginx_webhook_zone_use_bytes{use="watches"}'} > 0
};
ok($watched, 'zone - a watch');

my $now = metrics();
$use = 0;
$use += $now->{$_} for grep { /^nginx_webhook_zone_use_bytes/ } keys %$now;
is($use, $now->{nginx_webhook_zone_size_bytes}, 'zone - all of it, with that');

###############################################################################

# formats

my $open = $t->get('/status/metrics');

is($open->header('Content-Type'),
	'application/openmetrics-text; version=1.0.0; charset=utf-8',
	'OpenMetrics');
like($open->body, qr/\n# EOF\n\z/, 'OpenMetrics - end');
like($open->body, qr/^# TYPE nginx_webhook_events counter$/m,
	'OpenMetrics - counter');
is(problems($open->body), '', 'OpenMetrics - rules');

my $both = $t->get('/status/metrics', headers => [ Accept =>
	'application/openmetrics-text;version=1.0.0,text/plain;q=0.5' ]);
like($both->header('Content-Type'), qr/openmetrics/, 'Accept - both');

my $plain = $t->get('/status/metrics', headers => [ Accept => 'text/plain' ]);

is($plain->header('Content-Type'), 'text/plain; version=0.0.4; charset=utf-8',
	'text');
unlike($plain->body, qr/EOF|UNIT/, 'text - no end');
is($t->get('/status/metrics?a=b')->status, 400, 'parameter');
is($t->post('/status/metrics', '')->status, 405, 'method');

SKIP: {
	chomp(my $promtool = `sh -c 'command -v promtool'`);
	skip 'no promtool', 1 unless $promtool;

	my $text = $t->file('metrics', $plain->body);
	is(`promtool check metrics < $text 2>&1`, '', 'promtool - metrics');

	my $rules = repo('conf/alerts.yml');
	like(`promtool check rules $rules 2>&1`, qr/SUCCESS/,
		'promtool - rules');

	my $tests = repo('t/alerts.yml');
	my $said = `promtool test rules $tests 2>&1`;
	is($?, 0, 'promtool - what the rules make of some hours')
		or diag($said);

	my ($names, $tested) = map { join ' ', sort keys %$_ }
		map { my ($file, $re) = @$_;
			+{ map { $_ => 1 } read_file($file) =~ /$re/g } }
		[ $rules, qr/alert: (\w+)/ ],
		[ $tests, qr/alertname: (\w+)\n.*\n +exp_alerts/ ];
	is($tested, $names, 'promtool - each of them');

	prometheus();
}

###############################################################################

# what is shipped asks for metrics that there are (of a store: t/097)

my %known = map { /^([a-z_]+)/ ? ($1 => 1) : () } keys %$m;

for my $file ('alerts.yml', 'grafana-dashboard.json') {
	my $text = read_file(repo("conf/$file"));
	my %asked = map { $_ => 1 } grep { !/_webhook_store_/ }
		$text =~ /(nginx_webhook_[a-z_]+)/g;

	is(join(' ', grep { !$known{$_} } sort keys %asked), '', $file);
}

ok(json(read_file(repo('conf/grafana-dashboard.json')))->{panels},
	'a dashboard');

$t->done();

###############################################################################

sub answer {
	my ($path, $body) = @_;

	$up->set($path => { body => $body,
		headers => { 'Content-Type' => 'application/json' } });
}

# {name and labels => value}

sub metrics {
	return { map { /^([^#].*) (\S+)$/ ? ($1 => $2) : () }
		split /\n/, $t->get('/status/metrics')->body };
}

sub a { qq(nginx_webhook_attempts_total{webhook="$_[0]",outcome="$_[1]"}) }
sub d { qq(nginx_webhook_deliveries_total{webhook="$_[0]",status="$_[1]"}) }
sub g { qq(nginx_webhook_$_[0]\{webhook="$_[1]"}) }

# what promtool does not know of OpenMetrics: a family is in one piece, has
# TYPE and HELP before its samples, and those have the suffixes of their type

sub problems {
	my ($text) = @_;

	my (%types, %samples, $family, @problems);

	for (split /\n/, $text) {

		if (/^# TYPE (\S+) (\S+)$/) {
			push @problems, "twice: $1" if $types{$1};
			$types{$1} = $2;
			$family = $1;
			next;
		}

		if (/^# (?:HELP|UNIT) (\S+) \S/) {
			push @problems, "elsewhere: $1" if $1 ne $family;
			next;
		}

		next if $_ eq '# EOF';

		if (!/^([a-z_]+)(\{(?:[a-z]+="[^"\\]*",?)+\})? [\d.]+$/) {
			push @problems, "no sample: $_";
			next;
		}

		my ($suffix, $labels) = ($1, $2 || '');

		push @problems, "again: $_" if $samples{"$suffix$labels"}++;
		push @problems, "not of $family: $_"
			unless $suffix =~ s/^\Q$family\E//;

		my $expected = { counter => '_total', info => '_info',
			gauge => '', histogram => '_(?:bucket|sum|count)',
			}->{$types{$family}};

		push @problems, "suffix: $_" unless $suffix =~ /^$expected$/;
	}

	return join "\n", @problems;
}

# a real one scrapes, and knows what it was told

sub prometheus {
	my $port = $t->port('prometheus');
	my $dir = $t->dir() . '/prometheus';
	my $target = '127.0.0.1:' . $t->port(0);

	mkdir $dir;

	my $rules = repo('conf/alerts.yml');
	my $config = $t->file('prometheus.yml', <<"EOF");
global:
  scrape_interval: 1s
  scrape_timeout: 1s
  evaluation_interval: 1s
rule_files: [ '$rules' ]
scrape_configs:
- job_name: nginx
  metrics_path: /status/metrics
  static_configs: [ { targets: [ '$target' ] } ]
EOF

	my $pid = fork();
	die "fork: $!" unless defined $pid;

	if ($pid == 0) {
		open STDOUT, '>', "$dir/log";
		open STDERR, '>&', \*STDOUT;
		no warnings 'exec';
		exec 'prometheus', "--config.file=$config",
			"--storage.tsdb.path=$dir/data",
			"--web.listen-address=127.0.0.1:$port";
		POSIX::_exit(127);
	}

	my $ask = sub {
		my ($path, $query) = @_;

		$query =~ s/([^\w.-])/sprintf '%%%02X', ord $1/ge
			if defined $query;

		my $answer = eval { $t->get("/api/v1/$path"
			. (defined $query ? "?query=$query" : ''),
			port => $port) };

		return $answer && ($answer->status || 0) == 200
			? $answer->json->{data} : undef;
	};

	my $value;

	wait_for {
		my $data = $ask->('query',
			'nginx_webhook_events_total{event="UPDATED"}');
		$value = $data->{result}[0]{value}[1] if $data;

		return defined $value;
	} 30;

	is($value, 1, 'a real Prometheus')
		or diag(read_file("$dir/log"));

	my $alerts;

	wait_for {
		$alerts = $ask->('query',
			'ALERTS{alertname="WebhookDisabled",webhook="gone"}');
		return $alerts && @{ $alerts->{result} };
	};

	is($alerts->{result}[0]{metric}{alertstate}, 'firing',
		'a real Prometheus - an alert');

	my @bad = map { "$_->{name}: $_->{lastError}" }
		grep { $_->{health} ne 'ok' }
		map { @{ $_->{rules} } } @{ $ask->('rules')->{groups} };
	is(join("\n", @bad), '', 'a real Prometheus - all rules');

	# what the dashboard asks has an answer

	my $board = json(read_file(repo('conf/grafana-dashboard.json')));
	my @asked = map { $_->{expr} } map { @{ $_->{targets} || [] } }
		@{ $board->{panels} };

	cmp_ok(scalar @asked, '>=', 18, 'the dashboard - queries');

	for my $expr (@asked) {
		my $query = $expr;

		$query =~ s/\$(?:instance|webhook)/.+/g;
		$query =~ s/\$__rate_interval/1m/g;

		ok($ask->('query', $query), "the dashboard - $expr");
	}

	kill 'TERM', $pid;
	waitpid $pid, 0;
}

###############################################################################
