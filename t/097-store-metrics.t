#!/usr/bin/perl

# What metrics say of the store: how much is in it, and whether it takes what
# it is given.

###############################################################################

use warnings;
use strict;

use Test::More;

use WebhookTest;
use WebhookTest::Store;

###############################################################################

plan skip_all => 'built without SQLite' unless store_available();

# without a store there is nothing to say

my $without = WebhookTest->new();

$without->http_config(<<'EOF');

server {
    listen 127.0.0.1:%%PORT_0%%;
    server_name localhost;
    location / { webhook_status write=on; }
}

EOF

$without->run();
unlike($without->get('/metrics')->body, qr/nginx_webhook_store/, 'no store');
$without->done(more => 1);

###############################################################################

my $s = WebhookTest::Store->new(store => 'keep=1h size=32m',
	hook => 'retry 1h;');
my ($t, $r) = @$s{qw/ t r /};

$t->run();

# what there is

$s->ended(3);
$r->set('/ci' => { status => 503 });
$s->status("w$_", 'queued', launch => 1) for 1 .. 2;

my $m;
my $counted = wait_for {
	$m = metrics();
	($m->{'deliveries{status="waiting"}'} || 0) == 2
} 20;

ok($counted, 'what waits');
is($m->{'deliveries{status="ended"}'}, 3, 'what ended');
is($m->{failing}, 0, 'well');
is($m->{failures_total}, 0, 'no failure');
is($m->{unstored_total}, 0, 'nothing unstored');
is($m->{set_aside_total}, 0, 'nothing set aside');
is($m->{spilled_deliveries}, 0, 'nothing in the store alone');
is($m->{limit_bytes}, 32 * 1024 * 1024, 'limit');

my $size = -s "$s->{dir}/webhooks.db";
my ($rows, $free) = map { $m->{qq(use_bytes{use="$_"})} } qw/ rows free /;

cmp_ok($rows, '>', 16384, 'bytes');
is($rows % 4096, 0, 'bytes - of pages');
cmp_ok($rows + $free, '>=', $size / 2, 'bytes - about the size of the file');

# it grows

$s->status("big$_", 'queued', launch => 1, size => 100000) for 1 .. 5;

$counted = wait_for { metrics()->{'use_bytes{use="rows"}'} >= $rows + 500000 }
	20;
ok($counted, 'it grows');

# and refuses

my $pid = open my $f, '|-', 'sqlite3', '-batch', "$s->{dir}/webhooks.db"
	or die "sqlite3: $!\n";
my $done = $t->dir() . '/locked';
syswrite $f, ".timeout 10000\nBEGIN EXCLUSIVE;\n.shell touch $done\n";
ok(wait_for(sub { -e $done }), 'locked');

$s->status('locked', 'queued', launch => 1);

$counted = wait_for { $m = metrics(); $m->{failing} && $m->{unstored_total} }
	20;
ok($counted, 'failing');
cmp_ok($m->{failures_total}, '>=', 1, 'failing - counted');

syswrite $f, "ROLLBACK;\n";
close $f;

$counted = wait_for { $m = metrics(); !$m->{failing} } 20;
ok($counted, 'well again');
cmp_ok($m->{failures_total}, '>=', 1, 'well again - they stay');

# a damaged one

$t->allow(qr/was damaged and has been set aside/);
$t->stop();
write_file("$s->{dir}/webhooks.db", 'no database ' x 1000);
unlink "$s->{dir}/webhooks.db-wal";
$t->run();

is(metrics()->{set_aside_total}, 1, 'set aside');

# what is shipped asks for what there is

my $text = read_file(repo('conf/alerts.yml'))
	. read_file(repo('conf/grafana-dashboard.json'));
my %known = map { /^(\w+)/ ? ($1 => 1) : () } keys %{ metrics() };
my %asked = map { $_ => 1 } $text =~ /nginx_webhook_store_(\w+)/g;

is(join(' ', grep { !$known{$_} } sort keys %asked), '', 'alerts, dashboard');
cmp_ok(scalar keys %asked, '>=', 5, 'alerts, dashboard - they do');

my $plain = $t->get('/hooks/metrics', headers => [ Accept => 'text/plain' ]);

SKIP: {
	chomp(my $promtool = `sh -c 'command -v promtool'`);
	skip 'no promtool', 1 unless $promtool;

	my $file = $t->file('metrics', $plain->body);
	is(`promtool check metrics < $file 2>&1`, '', 'promtool - metrics');
}

$s->done();

###############################################################################

# {name and labels, of the store => value}

sub metrics {
	return { map { /^nginx_webhook_store_(\S+) (\S+)$/ ? ($1 => $2) : () }
		split /\n/, $t->get('/hooks/metrics')->body };
}

###############################################################################
