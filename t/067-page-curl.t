#!/usr/bin/perl

# The copied command, in real shells: the receiver gets the very bytes that it
# got before, whatever stands in them, and nothing else happens; what is
# secret is left out.  And the page with such deliveries in it.

###############################################################################

use warnings;
use strict;

use JSON::PP;
use Test::More;

use WebhookTest;
use WebhookTest::Browser;

###############################################################################

my $t = WebhookTest->new();
my $up = $t->upstream('up');
my $r = $t->receiver('r');

$t->http_config(<<'EOF');

webhook_zone zone=webhooks:64m;
webhook_buffer_size 4m;

webhook_api jobs {
    id /id;
    execution "";
    state /status;
    states FINISHED done;

    route POST /api/jobs { launch; }
}

server {
    listen 127.0.0.1:%%PORT_0%%;
    server_name localhost;

    proxy_ignore_client_abort on;
    webhook_observe jobs;

    location /api/ {
        proxy_pass %%URL_up%%;

        webhook json {
            url     "%%URL_r%%/json/[1-3]{a,b}?k=S3cretKey";
            events  LAUNCHED;
            secret  S3cretOfAtLeast24Characters;
            header  Authorization "Bearer S3cretToken";
            header  X-Partly "before S3cretOfAtLeast24Characters behind";
            header  X-Quotes "it's \"quoted\" `id` \\ ; done";
        }

        webhook form {
            url           %%URL_r%%/form;
            events        LAUNCHED;
            content_type  application/x-www-form-urlencoded;
        }
    }

    location /status/ {
        webhook_status write=on;
    }
}

EOF

my $dir = $t->dir();
my $touch = "touch $dir/hit";

my %text = (
	script => q{</pre></script><script>window.hit=1</script>}
		. q{<img src=x onerror=window.hit=2>},
	template => q!${window.hit=3}{{7*7}}<%= 7*7 %>`${window.hit=4}`!,
	shell => qq{'; $touch; ' "\$($touch)" `$touch` \\\$HOME !! \\' \\},
	control => join('', map { chr } 1 .. 31, 127 .. 159),
	heredoc => "END\nEND_\nEND__\nEOF\n'END'\n$touch\nEND",
	delimiter => 'END',
	bidi => "abc\x{202e}fdp.exe\x{2066}x\x{2069}\x{200f}\x{feff}\x{2028}",
	unicode => "\x{1f469}\x{200d}\x{1f4bb} \x{5d0}\x{5d1} \x{e9} \x{10ffff}",
	curl => '@/etc/passwd -o x --config /etc/passwd',
	long => "'" x 300_000 . 'x' x 700_000,
);

$t->run();

my (%uuid, %sent);

for my $name (sort keys %text) {
	$up->set('/api/jobs' => { json => { id => $name, status => 'new',
		text => $text{$name} } });
	$t->post('/api/jobs', '{}');
}

my $n = 2 * keys %text;

is(scalar $r->wait_requests($n), $n, 'all are there');

ok(wait_for { !@{ deliveries('status=waiting,sending') } }, 'and ended');

for my $d (@{ deliveries('') }) {
	$uuid{"$d->{hook} $d->{execution}"} = $d->{uuid};
}

for my $request ($r->requests) {
	$sent{$request->header('X-Webhook-Delivery')} = $request;
}

my %saw = visit($t, 'page-curl.js', { uuids => \%uuid });

is($saw{hit}, 'undefined', 'nothing ran in the page');
is($saw{elements}, '0', 'no element came from outside');
is($saw{bidi}, 'abc\u202efdp.exe\u2066x\u2069\u200f\ufeff\u2028',
	'what would turn the text is shown');
is($saw{control}, 0, 'no control character is left');
is($saw{attempts}, 7, 'of 26 attempts the latest 20 are numbered so');
cmp_ok($saw{whole}, '>', 1_000_000, 'a long one');
is($saw{found}, 'found 1 time', 'found in its middle');
is($saw{mark}, 'true', 'and scrolled to');
cmp_ok($saw{longest}, '<', 1000, 'no very long task');
is($saw{fallback}, 'copied', 'copied without a clipboard');
is($saw{same}, 1, 'the same');
is($saw{faults}, '', 'no faults');

###############################################################################

# every command in two shells

for my $shell (qw/ sh bash /) {
	for my $name (sort keys %uuid) {
		my $uuid = $uuid{$name};
		my $got = run_in($shell, "$dir/curl-$uuid") or next;
		my $was = $sent{$uuid};

		is($got->target, $name =~ /^form/ ? '/form'
			: q(/json/[1-3]{a,b}), "$shell - $name - url");

		ok($got->body eq $was->body, "$shell - $name - body");
		is(headers($got), headers($was), "$shell - $name - headers");
	}
}

ok(!-e "$dir/hit", 'nothing else ran');

my $command = read_file("$dir/curl-$uuid{'json shell'}");

like($command, qr/^# left out, it is secret: the argument k of the URL$/m,
	'left out - argument');
like($command, qr/^# left out, it is secret: the header Authorization$/m,
	'left out - header');
like($command, qr/^# left out, it is secret: the header X-Partly$/m,
	'left out - a header with a secret in it');
unlike($command, qr/\*\*\*|S3cret/, 'nothing masked, nothing secret');

# what does not come from here today

for my $name (qw/ empty path /) {
	my $got = run_in('sh', "$dir/curl-$name");

	is($got->header('X-Empty'), '', "$name - an empty header");
	is($got->body, '{}', "$name - body");
	is($got->target, $name eq 'path' ? '/' : '/json', "$name - url");
}

like(read_file("$dir/curl-path"),
	qr/^# left out, it is secret: the path of the URL$/m, 'left out - path');

$t->done();

###############################################################################

sub deliveries {
	my ($args) = @_;

	return $t->get("/status/deliveries?limit=100&$args")->json->{deliveries};
}

sub run_in {
	my ($shell, $file) = @_;

	my $before = $r->requests;

	my ($status, $said) = $t->output('sh', '-c',
		"cd $dir && $shell $file");
	is($status, 0, "$shell $file") or diag($said), return;

	my @got = $r->wait_requests($before + 1);

	return $got[-1];
}

# all but what curl itself or the secret adds

sub headers {
	my ($request) = @_;

	return join "\n", map { "$_: " . ($request->header($_) // 'none') }
		qw/ Content-Type Content-Length User-Agent X-Webhook-Event
			X-Webhook-Attempt X-Webhook-Time X-Webhook-Sequence
			webhook-id webhook-signature X-Quotes /;
}

###############################################################################
