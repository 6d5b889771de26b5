#!/usr/bin/perl

# What a client gets where responses are read is what it gets where they are
# not, byte by byte, and as soon.

###############################################################################

use warnings;
use strict;

use IO::Uncompress::Gunzip qw/ gunzip /;
use Test::More;
use Time::HiRes qw/ time /;

use WebhookTest;

###############################################################################

my $t = WebhookTest->new(workers => 1);
my $up = $t->upstream('up');
my $ci = $t->receiver('ci');
my $dir = $t->dir();
my $cert = $t->cert('nginx');

mkdir "$dir/html/static";

my $http = <<'EOF';

log_format events '$request_uri $status events=$webhook_events';
access_log %%TESTDIR%%/access.log events;

# each of them leaves other captures behind

map $request_uri $taken { default 0; ~/captures 1; ~/(b)ook 1; }
map $request_uri $part { default ''; ~^/captures/(?<of_part>\w) $of_part; }

proxy_cache_path %%TESTDIR%%/cache keys_zone=cache:1m;
proxy_cache_path %%TESTDIR%%/cache2 keys_zone=cache2:1m;

ssl_certificate %%TESTDIR%%/certs/nginx.pem;
ssl_certificate_key %%TESTDIR%%/certs/nginx.key;

EOF

# the same server twice: observed, and not

for my $on (1, 0) {
	my $n = $on ? 0 : 1;
	my $observe = $on ? 'webhook_observe test; webhook ci { url '
		. '%%URL_ci%%/; events LAUNCHED; }' : '';
	my $cache = $on ? 'cache' : 'cache2';

	$http .= <<EOF;

server {
    listen 127.0.0.1:%%PORT_$n%%;
    listen 127.0.0.1:%%PORT_ssl$n%% ssl http2;
    server_name localhost;

    $observe

    location / {
        proxy_pass %%URL_up%%;
    }

    location /small/ {
        proxy_pass %%URL_up%%/;
        proxy_buffers 4 1k;
        proxy_buffer_size 1k;
        proxy_busy_buffers_size 2k;
        output_buffers 1 1k;
    }

    location /unbuffered/ {
        proxy_pass %%URL_up%%/;
        proxy_buffering off;
    }

    location /cached/ {
        proxy_pass %%URL_up%%/;
        proxy_cache $cache;
        proxy_cache_valid any 1h;
        sendfile on;
    }

    location /temp/ {
        proxy_pass %%URL_up%%/;
        proxy_buffers 4 1k;
        proxy_buffer_size 1k;
        proxy_busy_buffers_size 2k;
        limit_rate 2m;
    }

    location /gzip/ {
        proxy_pass %%URL_up%%/;
        gzip on;
        gzip_types *;
    }

    location /gunzip/ {
        proxy_pass %%URL_up%%/;
        gunzip on;
    }

    location /sub/ {
        proxy_pass %%URL_up%%/;
        sub_filter_types *;
        sub_filter '"status"' '"changed"';
        sub_filter_once off;
    }

    location ~ ^/captures/(\\w+)/(\\w+)\$ {
        proxy_pass %%URL_up%%/\$2;
        proxy_set_header Accept-Encoding "";
        add_header X-Captures "\$1 \$2";
        add_trailer X-Captures "\$1 \$2";
        sub_filter_types *;
        sub_filter '"status"' '"\$1"';
    }

    location /static/ {
        root %%TESTDIR%%/html;
        sendfile on;
        tcp_nopush on;
    }

    location /aio/ {
        alias %%TESTDIR%%/html/static/;
        aio threads;
        output_buffers 2 1k;
    }

    location /direct/ {
        alias %%TESTDIR%%/html/static/;
        directio 512;
    }
}

EOF
}

$http .= <<'EOF';

webhook_api test {
    id          /id;
    execution   "";
    state       /status;
    states      STARTED running;
    states      FINISHED done;

    route POST ~/launch/ {
        launch;
        id         $request_uri;
        execution  $request_uri;
        goal.sent  $bytes_sent;
    }

    route GET /captures/* when=$taken { goal.part $part; }
    route * /* { }
}

EOF

$t->http_config($http);
$t->run();

###############################################################################

sub sized {
	my ($size) = @_;

	my $head = '{"id":' . $size . ',"status":"running","x":"';
	my $text = join '', map { chr(97 + ($_ * 7919) % 26) } 1 .. $size;

	return $head . substr($text, 0, $size - length($head) - 2) . '"}';
}

sub comparable {
	my ($r) = @_;

	return {
		status => $r->status, complete => $r->complete,
		body => $r->body,
		headers => [ grep { !/^date:/i }
			map { lc($_->[0]) . ": $_->[1]" } $r->headers() ],
	};
}

my %documents = (
	little => { body => sized(100) },
	middle => { body => sized(20_000) },
	large => { body => sized(200_000) },
	over => { body => sized(400_000) },
	chunked => { body => sized(50_000), chunked => 1000 },
	zipped => { body => sized(50_000), gzip => 1 },
	'zipped-chunked' => { body => sized(50_000), gzip => 1, chunked => 777 },
	html => { body => '<html>' . sized(50_000),
		headers => { 'Content-Type' => 'text/html' } },
	empty => { body => '' },
	cut => { body => sized(20_000), truncate => 9000, then => 'close' },
	missing => { status => 404, body => sized(500) },
	moved => { status => 302, headers => { Location => '/' },
		body => sized(500) },
);

$up->set("/$_" => $documents{$_}) for keys %documents;

for my $where (qw/ small unbuffered cached temp gzip gunzip sub /, '') {
	for my $name (sort keys %documents) {
		my $uri = $where eq '' ? "/$name" : "/$where/$name";

		# how much of it sub_filter lets out depends on when nginx sees
		# the end, observed or not

		next if $uri eq '/sub/cut';

		for my $try (1, $where eq 'cached' ? 2 : ()) {
			my @got = map {
				comparable($t->get($uri, port => $_, headers =>
					[ 'Accept-Encoding' => 'gzip' ]))
			} 0, 1;

			is_deeply($got[0], $got[1], "$uri, $try");
		}
	}
}

# what a location's regex has captured is for those who come after us, too

for my $name (qw/ little chunked missing /) {
	my @got = map {
		comparable($t->get("/captures/one/$name", port => $_,
			headers => [ 'Accept-Encoding' => 'gzip, br' ]))
	} 0, 1;

	is_deeply($got[0], $got[1], "captures, $name");
}

is($t->get('/captures/one/little')->header('x-captures'), 'one little',
	'captures, in a header');
like($t->get('/captures/one/little')->body, qr/"one":"running"/,
	'captures, in a body');

# HTTP/2 and TLS

my @ca = ('--cacert', $cert->{ca});

for my $proto (qw/ http1.1 http2 /) {
	for my $uri (map { ("/$_", "/unbuffered/$_", "/cached/$_") }
		sort grep { $_ ne 'cut' } keys %documents)
	{
		my @got = map {
			my $r = $t->curl(@ca, "--$proto", 'https://localhost:'
				. $t->port("ssl$_") . $uri);
			comparable($r);
		} 0, 1;

		is_deeply($got[0], $got[1], "$uri, TLS, $proto");
	}
}

# files

for my $name (sort keys %documents) {
	write_file("$dir/html/static/$name.json", $documents{$name}{body});
}

for my $where (qw/ static aio direct /) {
	for my $name (sort keys %documents) {
		for my $range (undef, 'bytes=0-9', 'bytes=50-60,70-80',
			'bytes=-20')
		{
			my @got = map {
				comparable($t->get("/$where/$name.json",
					port => $_, headers => [ $range
					? (Range => $range) : () ]))
			} 0, 1;

			# a boundary is a number that counts

			for my $r (@got) {
				s/boundary=\S+/boundary/ for @{ $r->{headers} };
				$r->{body} =~ s/^--\d+/--/mg;
			}

			is_deeply($got[0], $got[1], "/$where/$name.json, "
				. ($range || 'all'));
		}
	}
}

# what was read meanwhile: the documents are the same in all locations

my %events;
my $log = $t->access_log();

$events{$1} += $2 while $log =~ m!^\S*/(\w+)(?:\.json)? \d+ events=(\d+)$!mg;

is($events{$_}, 1, "$_ was read") for qw/ little middle large /;
is($events{$_}, 0, "$_ was not read") for qw/ html empty cut /;
is($events{over}, 0, 'over was not read');

###############################################################################

# a byte at a time: the first is there long before the last

$up->set('/drip' => { body => sized(60), piece => 1, gap => 20 },
	'/dripc' => { body => sized(60), piece => 6, gap => 20, chunked => 1 });

for my $uri (qw! /unbuffered/drip /unbuffered/dripc !) {
	my $c = $t->connect();
	my $start = time;

	$c->send_request('GET', $uri);
	$c->read_until(qr/\r\n\r\n/);
	$c->read_bytes(4);

	my $first = time - $start;

	my $rest = $uri =~ /c$/ ? $c->read_until(qr/\r\n0\r\n\r\n/)
		: $c->read_bytes(56);
	my $all = time - $start;

	cmp_ok($first, '<', $all / 2, "$uri - bytes as they come");
	like($rest, qr/\}/, "$uri - all of them");
}

# nothing waits until it is read: how much of the answer the client had then

$up->set('/launch/little' => { body => sized(100) },
	'/launch/pieces' => { body => sized(20_000), piece => 19_000,
		gap => 50 },
	'/launch/chunks' => { body => sized(20_000), piece => 19_000,
		gap => 50, chunked => 20_000 });

for my $where ('', qw! /small /unbuffered /cached /temp /gunzip /sub !) {
	for my $name (qw/ little pieces chunks /) {
		my $uri = "$where/launch/$name";
		my $r = $t->post($uri, '');

		my ($event) = $ci->wait_request(sub {
			$_[0]->json->{execution}{id} eq $uri });

		cmp_ok($event->json->{goal}{sent}, '>', length $r->body,
			"$uri - sent before it was read");
	}
}

$t->done();

###############################################################################
