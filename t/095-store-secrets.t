#!/usr/bin/perl

# No secret in the files of the store, nor in logs and answers beside it, even
# if endpoints echo what they are sent.  Headers that were evaluated from
# variables stand there while their delivery waits, and leave no byte behind.

###############################################################################

use warnings;
use strict;

use MIME::Base64 qw/ encode_base64 /;
use Test::More;

use WebhookTest;
use WebhookTest::Store;

###############################################################################

store_available() or plan skip_all => 'built without webhook_store';

# each is one word, found as such or in base64

my %secret = map { $_ => "S3c$_" . 'x' . sprintf '%08x', rand 0xffffffff }
	qw/ Signing File Env Literal Basic Cookie Variable Query Flag User
	Path Proxy CallerAuth CallerCookie CallerToken Pair Own Password
	SetCookie Token /;

my $t = WebhookTest->new(env => { WEBHOOK_TEST_SECRET => $secret{Env} });
my $up = $t->upstream('up');

# all that an endpoint knows

my @sent = @secret{qw/ Signing File Env Literal Basic Cookie Variable Query Flag
	User /};
my $echo = "you sent @sent";

my %echo = (headers => { 'X-Echo' => "a @sent",
	'X-Auth-Token' => $secret{Token},
	'Set-Cookie' => "id=$secret{SetCookie}" });

my $r = $t->receiver('r', rules => {
	'/echo' => { %echo, status => 200, body => "$echo, Pl4in" },
	'/fails' => { %echo, status => 500, body => $echo },
	"/$secret{Path}/of/it" => { status => 200,
		body => "$secret{Path} @sent[0 .. 6]" },
	'/garbage' => { raw => "$secret{File}\n\n$secret{Query}",
		then => 'close' },
	'/waits' => { %echo, status => 503, body => $echo },
});

$t->file('header', "$secret{File}\n");
$t->file('url', $r->url("/$secret{Path}/of/it\n"));
$t->port('closed');

my %hooks = (
	echo => [ 'http://%%HOST_r%%/echo', 'retry off;' ],
	via => [ 'http://%%HOST_r%%/echo', 'retry off; via @r;' ],
	fails => [ 'http://%%HOST_r%%/fails', 'retry off;' ],
	garbage => [ 'http://%%HOST_r%%/garbage', 'retry off;' ],
	refused => [ 'http://127.0.0.1:%%PORT_closed%%/', 'retry off;' ],
	unknown => [ 'http://no.such.host.invalid/', 'retry off; timeout 1s;' ],
	plain => [ 'https://%%HOST_r%%/plain', 'retry off;' ],
	proxied => [ 'http://proxied.test/', 'retry off; proxy http://'
		. "user:$secret{Proxy}\@127.0.0.1:%%PORT_closed%%;" ],
	waits => [ 'http://%%HOST_r%%/waits', 'retry 1h;' ],
);

my $hooks = '';

for my $name (sort keys %hooks) {
	my ($url, $more) = @{ $hooks{$name} };

	$url =~ s!://!://me:$secret{User}\@!;
	$hooks .= "webhook $name { url $url?key=$secret{Query}&$secret{Flag}; "
		. "$more }\n";
}

$t->http_config(<<"EOF", main => 'env WEBHOOK_TEST_SECRET;');

webhook_zone zone=webhooks:8m;
webhook_store %%TESTDIR%%/store;

webhook_api test {
    execution "";
    id /id;
    state /status;
    states STARTED running;
    states FINISHED done;
    route POST /launch { launch; }
    route GET /see/* { }
}

webhook_defaults {
    events EXECUTION;
    secret $secret{Signing};
    header X-File file:%%TESTDIR%%/header;
    header X-Env env:WEBHOOK_TEST_SECRET;
    header Authorization "Bearer $secret{Literal}";
    header Cookie "id=$secret{Cookie}";
    header X-Api-Key $secret{Basic};
    header X-Variable \$http_x_secret;
}

server {
    listen 127.0.0.1:%%PORT_0%%;
    server_name localhost;

    location / {
        proxy_pass %%URL_up%%;
        proxy_ignore_client_abort on;
        webhook_observe test;

        webhook path { url file:%%TESTDIR%%/url; retry off; }

        $hooks
    }

    location \@r {
        include %%CONF%%/webhook/via.conf;
        proxy_pass %%URL_r%%;
    }

    location /status/ { access_log off; webhook_status write=on; }
}

EOF

my $s = bless { t => $t, dir => $t->dir() . '/store' }, 'WebhookTest::Store';

# every byte of every file

sub files { return map { [ $_, read_file($_) ] } glob "$s->{dir}/*"; }

sub found {
	my ($name, @where) = @_;

	my $base64 = encode_base64($secret{$name}, '');
	$base64 =~ s/.=*\z//;

	return join ', ', map { $_->[0] =~ s!.*/!!r } grep {
		$_->[1] =~ /\Q$secret{$name}\E|\Q$base64\E/i } @where;
}

sub status {
	my @texts = map { [ $_, $t->get("/status/$_")->body ] }
		'hooks', 'deliveries?limit=100', 'metrics', 'observed';

	my $list = $t->get('/status/deliveries?limit=100')->json;

	return @texts, map { [ "delivery of $_->{hook}",
		$t->get("/status/deliveries/$_->{uuid}")->body ] }
		@{ $list->{deliveries} };
}

###############################################################################

$t->run();

$up->set('/launch' => { json => {
	id => 1, status => 'running', shown => 'V1sible',
	password => $secret{Password},
	env => [ { key => 'db_password', value => $secret{Pair} } ],
	'api-key' => $secret{Own},
} });

my @caller = (
	'X-Secret' => $secret{Variable},
	Authorization => 'Basic ' . encode_base64("a:$secret{CallerAuth}", ''),
	Cookie => "session=$secret{CallerCookie}",
);

$t->post("/launch?token=$secret{CallerToken}", '{}', headers => \@caller);

# LAUNCHED and STARTED for each of ten; those of one wait

ok(wait_for(sub {
	my $n = $s->sql('SELECT count(*) FROM deliveries WHERE ended > 0'
		. ' AND tries > 0');
	defined $n && $n eq '18'
}, 20), 'all that can end has ended') or diag($s->sql(
	'SELECT hook, event, status, ended FROM deliveries'));

ok(wait_for(sub {
	$s->sql('SELECT count(*) FROM attempts') >= 19
}, 20), 'what waits was tried');

# all is there that may be

my $texts = $s->sql('SELECT headers || CAST(body AS TEXT) FROM texts',
	'-newline', "\n");

like($texts, qr/Pl4in/, 'bodies are kept');
like($texts, qr/X-Echo: a \*\*\*/, 'headers are kept');
like($texts, qr/Set-Cookie: \*\*\*/i, 'values of secret names are not');
like($texts, qr/X-Auth-Token: \*\*\*/i, 'nor those that are redacted');
is($s->sql("SELECT count(*) FROM texts WHERE sent LIKE '%X-Env: ***%'"
	. " AND sent LIKE '%webhook-id: %'"), $s->sql(
	'SELECT count(*) FROM texts'), 'request headers are kept');

my @files = files();

isnt(found('Variable', @files), '', 'a header waits in the file');
is($s->sql('SELECT count(*) FROM headers'), 2, 'that of what waits alone');

for my $name (sort keys %secret) {
	my @where = (@files, [ 'error log', $t->error_log() ],
		[ 'access log', $t->access_log() =~ s/\?token=\S+//gr ], status());

	@where = grep { $_->[0] !~ /webhooks\.db/ } @where
		if $name eq 'Variable';

	is(found($name, @where), '', "no $name");
}

# its delivery ends: nothing of it is left, in no page and no log of the file

$r->set('/waits' => { status => 204 });

my @write = (headers => [ 'X-Webhook-Write' => 1 ]);

$t->post('/status/hooks/waits/pause', '', @write);
$t->post('/status/hooks/waits/resume', '', @write);

ok($s->on_disk(waiting => 0), 'what waited has ended');
is($s->sql('SELECT count(*) FROM headers'), 0, 'no row has headers');
is($s->sql('SELECT count(*) FROM texts WHERE number = 2 AND body = x\'\''), 2,
	'what is kept is of the latest attempt');
ok(wait_for(sub { found('Variable', files()) eq '' }), 'no byte of them')
	or diag(found('Variable', files()));

$t->stop();

is(found('Variable', files()), '', 'nor after a stop');
like(read_file("$s->{dir}/webhooks.db"), qr/V1sible/,
	'the search would find it');

$t->done(more => 1);

###############################################################################

# the directory is the workers' own: with their rights, and no others, links
# may be put there, which the master, of root, is not to follow

SKIP: {
	skip 'not root', 1 if $> != 0;

	$t = WebhookTest->new(user => 'www-data', workers => 1);
	$t->port('closed');
	$t->http_config(<<'EOF');

webhook_zone zone=webhooks:1m;
webhook_store %%TESTDIR%%/store;

server {
    listen 127.0.0.1:%%PORT_0%%;
    webhook ci { url http://127.0.0.1:%%PORT_closed%%/; }
    location / { webhook_status; }
}

EOF

	my $user = getpwnam 'www-data';
	my $dir = $t->dir() . '/store';

	mkdir $dir;

	for my $name (qw/ webhooks.db lock /) {
		my $other = $t->file("other-$name", "V1sible\n");
		my $none = $t->dir() . "/none-$name";

		chmod 0600, $other;

		for my $target ($other, $none) {
			unlink glob "$dir/*";
			symlink $target, "$dir/$name" or die "$dir/$name: $!";

			$t->run();
			is($t->get('/hooks')->status, 200, "$name - it runs");

			ok(wait_for {
				($t->get('/hooks')->json->{store}{error} || '')
					=~ /^the lock cannot be taken: /
			}, "$name - said which cannot be used") if $name eq 'lock';

			$t->stop();
		}

		is((stat $other)[4], 0, "$name - another file stays root's");
		is(read_file($other), "V1sible\n", "$name - as it was");
		ok(!-e $none, "$name - none is made elsewhere");
	}

	# one file of two names, which the kernel may forbid

	my $twice = $t->file('twice', '');

	unlink glob "$dir/*";
	link $twice, "$dir/webhooks.db" or die "$dir/webhooks.db: $!";
	$t->run();
	$t->stop();

	is((stat $twice)[4], 0, "a file of another name stays root's");

	# a backup that root has put back is what workers write

	unlink glob "$dir/*";
	$t->file('store/webhooks.db', '');
	$t->run();

	is((stat "$dir/$_")[4], $user, "$_ is the workers'")
		for qw/ webhooks.db lock /;
	ok(wait_for { $t->get('/hooks')->json->{store}{state} eq 'ok' },
		'they write it');

	# with another "user" nginx gives the directory away, under -t, too

	my $conf = read_file($t->dir() . '/nginx.conf');
	my $written = bless { t => $t, dir => $dir }, 'WebhookTest::Store';

	for my $how ('reload', 'start') {
		my $name = $how eq 'start' ? 'www-data' : 'daemon';

		$user = getpwnam $name;
		$conf =~ s/^user .*;/user $name;/m;

		ok($t->test_file($conf), "another user, $how - tested");
		is((stat "$dir/$_")[4], $user, "another user, $how - has $_")
			for qw/ webhooks.db webhooks.db-wal webhooks.db-shm
				lock /;

		$t->config($conf);
		$t->crash() if $how eq 'start';
		$how eq 'start' ? $t->run() : $t->reload();

		ok($written->holder(), "another user, $how - writes");
		ok(wait_for {
			$t->get('/hooks')->json->{store}{state} eq 'ok'
		}, "another user, $how - is not refused");
	}

	$t->done();
}

###############################################################################
