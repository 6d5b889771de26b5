#!/usr/bin/perl

# The built-in transport through proxies of all kinds: who is told what, what an
# error says, and that nobody's connection is used by a webhook with other
# settings.

###############################################################################

use warnings;
use strict;

use JSON::PP;
use MIME::Base64 qw/ encode_base64 /;
use Test::More;

use WebhookTest;

###############################################################################

my @environment = map { ($_, uc) } qw/ http_proxy https_proxy all_proxy /;

my $t = WebhookTest->new(workers => 1,
	env => { map { ($_ => 'http://127.0.0.1:1') } @environment });

my $good = $t->cert('good');
my $own = $t->cert('own', self_signed => 1);
my $client = $t->cert('client');

my $plain = $t->receiver('plain');
my $tls = $t->receiver('tls', tls => $good, http2 => 1);
my $asks = $t->receiver('asks', tls => $good, client_certificate => 1);
my $proxy = $t->receiver('proxy', proxy => 1,
	rules => { '*' => { status => 202 } });
my $safe = $t->receiver('safe', proxy => 1, tls => $good,
	rules => { '*' => { status => 202 } });
my $other = $t->receiver('other', proxy => 1, tls => $t->cert('other',
	dns => [ 'other.example' ], ip => [ '127.0.0.9' ]));
my $silent = $t->receiver('silent', fallback => { drop => 'hang' });
my $page = $t->receiver('page', rules => { '*' => { status => 407,
	size => 64 * 1024 * 1024 } });
my $talks = $t->receiver('talks');
$talks->set('*' => { raw => "HTTP/1.1 200 OK\r\n" . "X-A: b\r\n" x 20_000,
	then => 'hang' });
my $raves = $t->receiver('raves');
$raves->set('*' => { raw => "HTTP/1.1 200 OK\r\nX-A: " . 'b' x 200_000,
	then => 'hang' });
my $leaves = $t->receiver('leaves', fallback => { drop => 'close' });
my $no_http = $t->receiver('no_http', fallback => {
	raw => "SSH-2.0-OpenSSH_9\r\n", then => 'close' });
my $unsafe = $t->receiver('unsafe', proxy => 1, tls => $own);
my $socks = $t->socks('socks', names => { 'there.example' => '127.0.0.1' });
my $users = $t->socks('users', users => { alice => 'a/b', bob => 'b',
	carol => 'c' });
my $no = $t->socks('no', refuse => JSON::PP::true);

my $https = 'https://localhost:' . $tls->port;
my $there = 'http://there.example:' . $plain->port;
my $ca = "ssl_trusted_certificate $good->{ca};";

# name => [ where to, settings, code, error, message ]

my %cases = (
	environment => [ $plain->url, '', 204 ],
	http => [ $plain->url, 'proxy %%URL_proxy%%;', 202 ],
	tunnel => [ $https, "proxy %%URL_proxy%%; $ca"
		. 'header X-Own s3cret; header Cookie s3cret;', 204 ],
	safe => [ $https, "proxy https://localhost:%%PORT_safe%%; $ca", 204 ],
	'safe-plain' => [ $plain->url, 'proxy https://localhost:%%PORT_safe%%;'
		. $ca, 202 ],
	unsafe => [ $https, "proxy https://localhost:%%PORT_unsafe%%; $ca",
		undef, 'proxy', qr/certificate of the proxy is refused: self/ ],
	'unsafe-off' => [ $https, "proxy https://localhost:%%PORT_unsafe%%;"
		. 'ssl_verify off;', undef, 'proxy',
		qr/certificate of the proxy is refused: self/ ],
	'safe-name' => [ $https, "proxy https://127.0.0.1:%%PORT_other%%;"
		. $ca, undef, 'proxy', qr/certificate is not one for the proxy/ ],
	'not-tls' => [ $https, "proxy https://127.0.0.1:%%PORT_proxy%%; $ca"
		. 'timeout 9s;', undef, qr/^(?:proxy|timeout)$/, qr/proxy/ ],

	socks4 => [ $plain->url, 'proxy socks4://%%HOST_socks%%;', 204 ],
	socks4a => [ $there, 'proxy socks4a://%%HOST_socks%%;', 204 ],
	socks5 => [ $plain->url, 'proxy socks5://%%HOST_socks%%;', 204 ],
	socks5h => [ $there, 'proxy socks5h://%%HOST_socks%%;', 204 ],
	'socks-tls' => [ $https, "proxy socks5h://%%HOST_socks%%; $ca", 204 ],
	'socks-h2' => [ 'https://127.0.0.1:' . $tls->port,
		"proxy socks5h://%%HOST_socks%%; $ca http2 on;", 204 ],
	user => [ $plain->url, 'proxy socks5://alice:a%2Fb@%%HOST_users%%;',
		204 ],
	wrong => [ $plain->url, 'proxy socks5://bob:x@%%HOST_users%%;', undef,
		'proxy', qr/^the proxy refused/ ],
	nobody => [ $plain->url, 'proxy socks5://%%HOST_users%%;', undef,
		'proxy', qr/^the proxy refused/ ],
	refused => [ $plain->url, 'proxy socks5://%%HOST_no%%;', undef,
		'proxy', qr/^the proxy refused/ ],
	refused4 => [ $plain->url, 'proxy socks4://%%HOST_no%%;', undef,
		'proxy', qr/^the proxy refused/ ],
	'no-name' => [ 'http://nosuch.invalid', 'proxy socks5://%%HOST_socks%%;',
		undef, 'dns', qr/^the name of nosuch.invalid could not be/ ],
	silent => [ $https, "proxy %%URL_silent%%; $ca timeout 9s;", undef,
		'timeout', qr/^no connection to \S+ through the proxy within/ ],
	'silent-tls' => [ $https, "proxy https://%%HOST_silent%%; $ca"
		. 'timeout 9s;', undef, 'timeout', qr/through the proxy/ ],
	'silent-socks' => [ $plain->url, 'proxy socks5://%%HOST_silent%%;'
		. 'timeout 9s;', undef, 'timeout', qr/through the proxy/ ],
	page => [ $https, "proxy %%URL_page%%; $ca", undef, 'proxy',
		qr/^the proxy answered CONNECT with 407/ ],
	talks => [ $https, "proxy %%URL_talks%%; $ca", undef, 'proxy',
		qr/^the proxy's answer to CONNECT is too long/ ],
	raves => [ $https, "proxy %%URL_raves%%; $ca", undef, 'proxy',
		qr/^the proxy's answer to CONNECT is too long/ ],
	leaves => [ $https, "proxy %%URL_leaves%%; $ca", undef, 'proxy',
		qr/^the proxy has not answered CONNECT/ ],
	'leaves-plain' => [ $plain->url, 'proxy %%URL_leaves%%;', undef,
		'reset' ],
	'no-http' => [ $https, "proxy %%URL_no_http%%; $ca", undef, 'proxy',
		qr/^the proxy has not answered CONNECT/ ],
	behind => [ $silent->url =~ s/http/https/r, "proxy %%URL_proxy%%; $ca"
		. 'timeout 9s;', undef, 'timeout', qr/TLS handshake with/ ],
	'behind-name' => [ 'https://localhost:' . $other->port,
		"proxy %%URL_proxy%%; $ca", undef, 'tls',
		qr/is not one for localhost/ ],
	unknown => [ $plain->url, 'proxy http://nosuch.invalid:3128;', undef,
		'proxy', qr/name/ ],
);

my $hooks = join '', map { "webhook $_ { url $cases{$_}[0]/$_;"
	. " $cases{$_}[1] }\n" } sort keys %cases;

# one endpoint, and webhooks with other settings each, one after the other

my $apart = 'https://127.0.0.1:' . $tls->port . '/';

my %apart = (
	tunnel => [ map { [ $apart, "proxy http://$_" . '@%%HOST_proxy%%;' ] }
		'a:1', 'b:1', 'a:2' ],
	proxies => [ map { [ $apart, "proxy $_;" ] } '%%URL_proxy%%',
		'socks5://%%HOST_socks%%', 'off' ],
	socks => [ map { [ $plain->url . '/', "proxy socks5://$_"
		. '@%%HOST_users%%;' ] } 'bob:b', 'carol:c' ],
	verify => [ [ $apart, 'ssl_verify off;' ],
		[ $apart, "ssl_trusted_certificate $own->{cert};" ] ],
	client => [ [ $asks->url('/'), "ssl_certificate $client->{cert} "
		. "$client->{key};" ], [ $asks->url('/'), '' ] ],
);

for my $kind (sort keys %apart) {
	my $n = 0;

	for (@{ $apart{$kind} }) {
		my ($url, $settings) = @$_;

		$n++;
		$settings .= $ca unless $settings =~ /trusted/;
		$hooks .= "webhook $kind-$n { url $url$kind-$n; $settings"
			. " events EXECUTION; }\n";
	}
}

$t->http_config(<<"EOF", main => join ' ', map { "env $_;" } @environment);

webhook_defaults { retry off; timeout 20s; }

server {
    listen 127.0.0.1:%%PORT_0%%;
    server_name localhost;

    $hooks

    location /status/ {
        webhook_status write=on;
    }
}

EOF

$t->run();

###############################################################################

for my $name (sort keys %cases) {
	my (undef, undef, $code, $error, $message) = @{ $cases{$name} };
	my $a = ended($name, 1)->{attempts}[0];

	is($a->{code}, $code, "$name - code");

	if ($error) {
		$error = qr/^$error$/ unless ref $error;
		like($a->{error}, $error, "$name - error");
		like($a->{message}, $message, "$name - a sentence") if $message;

	} else {
		is($a->{error}, undef, "$name - no error")
			or diag($a->{message});
	}
}

my ($connect) = grep { $_->method eq 'CONNECT' } $proxy->requests();

is(join(' ', sort map { lc $_->[0] } $connect->headers),
	'host proxy-connection', 'tunnel - what the proxy is told');

my ($seen) = $tls->requests('/tunnel');
is($seen->header('X-Own'), 's3cret', 'tunnel - what the receiver is told');
is($seen->header($_), undef, "tunnel - no $_")
	for qw/ Proxy-Connection Proxy-Authorization /;
is(($tls->requests('/socks-h2'))[0]->proto, 'h2.0', 'socks-h2 - protocol');

my %socks = map { ("$_->{version} $_->{kind} $_->{target}" => 1) }
	$socks->events('socks');

ok($socks{'4 ipv4 ' . $plain->host}, 'socks4 - address');
ok($socks{'4a name there.example:' . $plain->port}, 'socks4a - name');
ok($socks{'5 ipv4 ' . $plain->host}, 'socks5 - address');
ok($socks{'5 name there.example:' . $plain->port}, 'socks5h - name');

###############################################################################

# nobody's connection is another's

my %pings;

for my $kind (sort keys %apart) {
	for my $round (1, 2) {
		for my $n (1 .. @{ $apart{$kind} }) {
			my $a = ping("$kind-$n");
			my $bad = $kind =~ /verify|client/ && $n == 2;

			is($a->{code}, $bad ? undef : 204,
				"$kind $n, $round - code");
			ok(!$a->{reused}, "$kind $n - its own connection")
				if $round == 1;
			ok($a->{reused}, "$kind $n - used again")
				if $round == 2 && !$bad;
		}
	}
}

my %tunnels;

$tunnels{$_->header('Proxy-Authorization') || ''}++
	for grep { $_->method eq 'CONNECT' } $proxy->requests();

is($tunnels{'Basic ' . encode_base64($_, '')}, 1, "a tunnel of $_")
	for 'a:1', 'b:1', 'a:2';

is(join(' ', sort map { $_->{user} } $users->events('socks')),
	'alice bob carol', 'a way of each user');

unlike($t->error_log(), qr/s3cret|a%2Fb|a\/b/, 'log - no secret');

$t->done();

###############################################################################

sub ping {
	my ($hook) = @_;

	$t->request('POST', "/status/hooks/$hook/ping",
		headers => [ 'X-Webhook-Write' => '1' ]);

	return ended($hook, ++$pings{$hook})->{attempts}[0];
}

# the latest delivery, once there are so many

sub ended {
	my ($hook, $n) = @_;
	my @d;

	wait_for {
		@d = grep { $_->{status} !~ /waiting|sending/ } @{ $t->get(
			"/status/deliveries?hook=$hook")->json->{deliveries} };
		return @d >= $n;
	} or die "$hook: nothing ended\n";

	return $t->get("/status/deliveries/$d[0]{uuid}")->json;
}

###############################################################################
