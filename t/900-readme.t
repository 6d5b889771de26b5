#!/usr/bin/perl

# README.md: every configuration in it passes nginx -t; its headings are the
# directives of the module, and no others; what it says to paste runs as it
# says.  And conf/nginx.conf passes nginx -t.

###############################################################################

use warnings;
use strict;

use Digest::SHA qw/ hmac_sha1_hex hmac_sha256_base64 /;
use MIME::Base64 qw/ decode_base64 /;
use Test::More;

use WebhookTest;

###############################################################################

my @started;

my $t = WebhookTest->new(workers => 1);

my $readme = read_file(repo('README.md'));
my $dir = $t->dir();

mkdir "$dir/$_" for qw/ secrets modules /;
write_file("$dir/secrets/$_", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n")
	for qw/ ci ci.old /;

###############################################################################

# Every block says in what it stands: "<!-- test: WHERE -->" in the line above,
# or else in http {}.

my %wrap = (
	whole => '%s',
	main => "%s\nevents { }",
	http => "%s",
	webhook => "server {\nwebhook w {\nurl https://ci.example.com/;\n%s\n} }",
);

my (%named, $n);

while ($readme =~ /(?:<!-- test: (\w+)(?: (\w+))? -->\n)?```nginx\n(.*?)^```$/gms)
{
	my ($where, $name, $text) = ($1 || 'http', $2, $3);
	my $line = 1 + (substr($readme, 0, $-[3]) =~ tr/\n//);

	$named{$name} = $text if $name;
	$n++;

	passes("README.md:$line", sprintf($wrap{$where} || die("$where?\n"),
		$text), $where eq 'whole' || $where eq 'main');
}

cmp_ok($n, '>=', 10, 'configurations found');

passes('conf/nginx.conf', read_file(repo('conf/nginx.conf')), 1);

sub passes {
	my ($name, $text, $whole) = @_;

	$text = substituted($text);

	my ($ok, $said) = $whole ? $t->test_file("%%GLOBALS%%\n$text")
		: $t->test_config($text);

	$ok &&= $said !~ /\[(?:warn|error|crit|alert|emerg)\]/;

	ok($ok, "$name: nginx -t") or diag($said);
}

# paths and ports that are another machine's; what the harness sets itself

sub substituted {
	my ($text) = @_;

	for ($text) {
		s/^(?:load_module|user|worker_processes|pid|error_log|daemon)
			\s.*;\n//gmx;
		s{/etc/nginx/}{$dir/}g;
		s{/var/log/nginx/}{$dir/}g;
		s{include\s+\Kwebhook/}{%%CONF%%/webhook/}g;
		s{server\s+\Kci\.example\.com:443}{127.0.0.1:443}g;
		s{listen\s+(?:127\.0\.0\.1:)?\K(\d+)}{%%PORT_p$1%%}g;
	}

	$text =~ s/listen\s+\K(?=%%PORT)/127.0.0.1:/g;
	$text =~ s/^http \{\n\K/%%GLOBALS_HTTP%%/m
		unless $text =~ /client_body_temp_path/;

	return $text;
}

###############################################################################

# directives: the tables, and the headings of that chapter

my %table;

for my $file (qw/ module hook_conf api_conf /) {
	my ($commands) = read_file(repo("src/ngx_http_webhook_$file.c"))
		=~ /^static ngx_command_t (.*?)ngx_null_command/ms;

	$table{$_} = 1 for $commands =~ /ngx_string\("(\w+)"\)/g;
}

my $source = read_file(repo('src/ngx_http_webhook_api_member_conf.c'));
$source =~ /api_member_names\[\] = \{(.*?)\}/s;
$table{$_} = 1 for $1 =~ /"(\w+)"/g;

my ($chapter) = $readme =~ /^## Directives\n(.*?)^## /ms;

my %heading = map { $_ => 1 } map { split /, / } $chapter =~ /^###+ (.*)$/gm;

is(join(' ', sort keys %heading), join(' ', sort keys %table),
	'every directive has its heading, and every heading its directive');

while ($chapter =~ /^###+ ([^\n]*)\n\n(.*?)(?=^#|\z)/gms) {
	my ($heading, $text) = ($1, $2);
	my ($first) = split /, /, $heading;

	my $more = qr/(?:[ ]{10,}\S.*\n)*/;

	like($text, qr/^```text\n
		Syntax:[ ]{3}\Q$first\E\b.*\n $more
		Default:[ ]{2}\S.*\n $more
		Context:[ ]{2}\S.*\n
		```\n/x, "$heading: syntax, default, context");
}

# links within the file

my %anchor = map { lc(s/[^\w -]//gr) =~ s/ /-/gr => 1 }
	$readme =~ /^#+ (.*)$/gm;

for my $link ($readme =~ /\]\(#([^)]+)\)/g) {
	ok($anchor{$link}, "link to #$link") or diag($link) unless $anchor{$link};
}

# what is shipped: "webhook_api" NAME in a file of conf/webhook/

my %api_of = $chapter =~ /^\| `([\w-]+\.conf)` \| `([\w-]+)` \|/gm;
my %shipped;

for my $file (glob repo('conf/webhook/*.conf')) {
	my ($name) = $file =~ m!([^/]+)$!;

	$shipped{$name} = $1
		if read_file($file) =~ /^webhook_api ([\w-]+) \{/m;
}

is_deeply(\%api_of, \%shipped, 'shipped descriptions');

###############################################################################

# the five minutes

my %js = map { /^(?:\/\/ a made-up|const http)/ ? ($& => $_) : () }
	$readme =~ /```js\n(.*?)^```$/gms;

my $jobs = $js{'// a made-up'};
my $text = $named{start};

for my $p (9001, 9002) {
	my $port = $t->port("p$p");
	$jobs =~ s/\b$p\b/$port/g;
	$text =~ s/127\.0\.0\.1:$p/127.0.0.1:$port/g;
}

$jobs = $t->file('jobs.js', $jobs);

my $node = start('node', $jobs);

wait_for { IO::Socket::INET->new(PeerAddr => '127.0.0.1:' . $t->port('p9002')) }
	or die "jobs.js does not listen\n";

# how much a zone holds: about as much as is said

for (['8m', qr/of 8192K holds about (\d+) states of executions and (\d+) /],
	['32m', qr/zone of 32m holds: about ()(\d+)\s+deliveries of 5 KB/])
{
	my ($size, $re) = @$_;
	my ($states, $deliveries) = $readme =~ $re;
	my ($has, $holds) = ($t->test_file("%%GLOBALS%%\n" . substituted(
		$text =~ s/zone=webhooks:\K8m/$size/r)))[1]
		=~ /holds about (\d+) states of executions and (\d+) /;

	cmp_ok(abs($deliveries - $holds), '<', $holds / 50, "$size: $holds");
	cmp_ok(abs($states - $has), '<', $has / 50, "$size: $has states")
		if $states;
}

# and how many webhooks, to the last

my %rooms = $readme =~ /has room for (\d+) webhooks in (1m), ([\d,]+) in (32m),/
	? ($2 => $1, $4 => $3 =~ tr/,//dr) : ();

for my $size (qw/ 1m 32m /) {
	my $hooks = join(' ', map { "webhook w$_ { url http://127.0.0.1:1/; }" }
		0 .. $rooms{$size} || 0);
	my $said = ($t->test_config("webhook_zone zone=z:$size;\nserver {\n"
		. "listen 127.0.0.1:%%PORT_0%%;\n$hooks\n}\n"))[1];

	like($said, qr/holds $rooms{$size} webhooks/, "$size: webhooks");
}

$t->config("%%GLOBALS%%\n" . substituted($text))->run();

my %api = (port => 'p8080', host => 'localhost');
my %status = (port => 'p8081', host => 'localhost');

wait_for { said() =~ /PING/ };

is($t->request('POST', '/v1/jobs', %api, body => '')->json->{job}{id}, 'j1',
	'start: a launch');
is($t->get('/v1/jobs/j1', %api)->status, 200, 'start: a poll') for 1 .. 3;

is($t->request('POST', '/hooks/ci/ping', %status, body => '',
	headers => [ 'X-Webhook-Write' => 1 ])->status, 202, 'start: a ping');

wait_for { 6 == (() = said() =~ /\n/g) };

my ($expected) = $readme =~ /^The first terminal shows .*?```text\n(.*?)```/ms;

is_deeply([ map { brief($_) } split /\n/, said() ],
	[ map { brief($_) } split /\n/, $expected ], 'start: what is received');

my $list = $t->get('/deliveries', %status);

is($list->header('Content-Type'), 'application/json', 'status: type');
is(@{ $list->json->{deliveries} }, 6, 'start: the log');
is($t->get('/deliveries', %status, host => 'other'), undef,
	'start: another name is not answered');

# answers have the members that README shows

my %shown = map { my $j = json($_); (join(' ', sort keys %$j) => $j) }
	$readme =~ /```json\n(.*?)^```$/gms;

my $one = $list->json->{deliveries}[1];
my $whole = $t->get("/deliveries/$one->{uuid}", %status)->json;
my $hook = $t->get('/hooks/ci', %status)->json;

for (['a list', $list->json], ['a delivery', $whole], ['a webhook', $hook]) {
	ok($shown{join ' ', sort keys %{ $_->[1] }}, "status: $_->[0]");
}

my ($example) = grep { $_->{attempt_count} } values %shown;
my ($listed) = grep { $_->{deliveries} } values %shown;

is(names($one), names($listed->{deliveries}[0]), 'status: one of a list');
is(names($whole->{$_}), names($example->{$_}), "status: $_")
	for qw/ request response /;
is(names($whole->{attempts}[0]), names($example->{attempts}[0]),
	'status: an attempt');

my ($limit) = $readme =~ /limit=1000'\n(\{.*\})$/m;
is($t->get('/deliveries?limit=1000', %status)->body, $limit, 'status: 400');

my ($forbidden) = $readme =~ m!/hooks/ci/ping\n(\{.*\})$!m;
is($t->request('POST', '/hooks/ci/ping', %status, body => '')->body,
	$forbidden, 'status: 403');

kill 'TERM', $node;

sub said { read_file("$dir/jobs.js.out") }

sub brief { return join ' ', $_[0] =~ /^(\w+) (\w+) \{"type":("PING")?(.*)$/
	? ($1, $2, $3 || $4) : $_[0] }

sub names { return join ' ', sort keys %{ $_[0] } }

###############################################################################

# what verifies signatures: a good one, and one of another body

my $secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
my ($id, $time, $body) = ('msg_1', time, '{"type":"EXECUTION","event":"X"}');

my $signature = hmac_sha256_base64("$id.$time.$body", decode_base64($secret
	=~ s/^whsec_//r));
$signature .= '=' x (-length($signature) % 4);

my @headers = ('webhook-id' => $id, 'webhook-timestamp' => $time,
	'webhook-signature' => "v1,AAAA v1,$signature");

$ENV{NODE_PATH} = repo('t/node/node_modules');

my $port = $t->port('p9002b');
my $receiver = start('node', $t->file('receiver.js',
	$js{'const http'} =~ s/9002/$port/r));

wait_for { IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port") };

for (['good', $body, 204], ['another body', "$body ", 401]) {
	is($t->request('POST', '/', port => 'p9002b', headers => \@headers,
		body => $_->[1])->status, $_->[2], "node: $_->[0]");
}

kill 'TERM', $receiver;

SKIP: {
	skip 'no python3', 2 unless grep { -x "$_/python3" } split /:/,
		$ENV{PATH};

	my ($python) = $readme =~ /```python\n(.*?)^```$/ms;

	my $call = sprintf "print(verify('%s', {'webhook-id': '%s', "
		. "'webhook-timestamp': '%s', 'webhook-signature': '%s'}, b'%%s'))",
		$secret, @headers[1, 3, 5];

	for (['good', $body, 'True'], ['another body', "$body ", 'False']) {
		my $file = $t->file('verify.py',
			"$python\n" . sprintf($call, $_->[1]));

		my ($status, $said) = $t->output('python3', $file);
		is($said, "$_->[2]\n", "python: $_->[0]");
	}
}

my ($sh) = $readme =~ /```sh\n(key=.*?)^```$/ms;
my ($sha1) = $readme =~ /```sh\n(openssl dgst.*?)^```$/ms;

mkdir "$dir/shell";
write_file("$dir/shell/body", $body);

my $set = "cd '$dir/shell'; secret='$secret'; id='$id'; timestamp='$time'\n";

is(($t->output('sh', '-c', $set . $sh))[1], "$signature\n", 'shell');
is(($t->output('sh', '-c', $set . $sha1))[1],
	hmac_sha1_hex($body, $secret) . "\n", 'shell: sha1');

$t->done();

###############################################################################

sub start {
	my (@command) = @_;

	my $pid = fork();
	die "fork: $!" unless defined $pid;

	if ($pid == 0) {
		open STDIN, '<', '/dev/null';
		open STDOUT, '>>', "$command[-1].out";
		open STDERR, '>&', \*STDOUT;
		exec @command or POSIX::_exit(127);
	}

	push @started, $pid;

	return $pid;
}

END {
	local $?;
	kill 'TERM', @started if @started;
}

###############################################################################
