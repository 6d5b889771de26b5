#!/usr/bin/perl

# What is configured is what is sent: a ping of each webhook shows its url,
# headers, members and what it starts from; reloads change them.

###############################################################################

use warnings;
use strict;

use Digest::SHA qw/ hmac_sha1_hex hmac_sha256_hex sha256 /;
use Test::More;

use WebhookTest;

###############################################################################

my $t = WebhookTest->new();
my $r = $t->receiver('ci');

$t->file('url', $r->url() . "/from-file?token=s3same\n");
$t->file('secret', "s3same-s3same-s3same-file\n");

$t->{env}{WEBHOOK_TEST_SET} = 's3same-env';

my $conf = <<'CONF';

webhook_defaults {
    signature virtuoso github;
    secret s3same-s3same-s3same-default;
    header X-Default default;
    header X-Both default;
    member project.id 4889;
    member organization.name "Acme \"&\" Co";
    member sender.id null;
}

webhook outer {
    url %%URL_ci%%/outer?key=s3same&plain;
}

server {
    listen 127.0.0.1:%%PORT_0%%;

    webhook_defaults {
        header X-Inner inner;
        content_type application/x-www-form-urlencoded;
    }

    location / {
        webhook own {
            url %%URL_ci%%/own;
            description "its own";
            secret file:%%TESTDIR%%/secret s3same-s3same-s3same-second;
            signature stripe;
            content_type application/json;
            events EXECUTION PING;
            header X-File file:%%TESTDIR%%/secret;
            header X-Env env:WEBHOOK_TEST_SET;
            header X-Empty "";
            member project.id "4889 ";
        }

        webhook hidden {
            url file:%%TESTDIR%%/url;
        }

        return 200;
    }

    location /quiet {
        webhook silent { url %%URL_ci%%/silent; events FINISHED; }
        webhook asleep { url %%URL_ci%%/asleep; active off; }
        webhook outer { url %%URL_ci%%/outer?key=s3same&plain;
                        header X-Default default; header X-Both default;
                        content_type application/json; }
        return 200;
    }
}

CONF

$t->http_config($conf, main => 'env WEBHOOK_TEST_SET;');
$t->run();

ok($r->wait_requests(3), 'three pings');

my %ping = map { substr($_->path(), 1) => $_ } $r->requests();

is_deeply([ sort keys %ping ], [ 'from-file', 'outer', 'own' ], 'of these');

###############################################################################

# a webhook of the http level

my $p = $ping{outer};
my $body = $p->body();
my $doc = $p->json();
my $id = unpack('N', sha256('outer')) & 0x7fffffff;

is($p->target(), '/outer?key=s3same&plain', 'outer - uri');
is($p->header('Host'), $r->host(), 'outer - host');
is($p->header('X-Default'), 'default', 'outer - header of the defaults');
is($p->header('X-Inner'), undef, 'outer - no header of inner defaults');
is($p->header('X-Virtuoso-Signature'), 'sha1='
	. hmac_sha1_hex($body, 's3same-s3same-s3same-default'),
	'outer - secret of the defaults');
is($p->header('webhook-signature'), undef, 'outer - schemes of the defaults');

is($doc->{webhookId}, $id, 'outer - id');
is($doc->{project}{id}, 4889, 'outer - member');
is($doc->{organization}{name}, 'Acme "&" Co', 'outer - member, text');
is($doc->{webhook}{url}, $r->url() . '/outer?key=***&***',
	'outer - url without values');

# its own lines replace those of the defaults

$p = $ping{own};
$body = $p->body();
$doc = $p->json();

is($p->header('X-File'), 's3same-s3same-s3same-file', 'own - header, file');
is($p->header('X-Env'), 's3same-env', 'own - header, environment');
is($p->header('X-Empty'), undef, 'own - header, empty');
is($p->header('X-Default'), undef, 'own - no header of the defaults');
is($p->header('X-Inner'), undef, 'own - no header of inner defaults');
is($p->header('Content-Type'), 'application/json', 'own - content type');

my ($time) = ($p->header('Stripe-Signature') || '') =~ /^t=(\d+)/;

is($p->header('Stripe-Signature'), join(',', "t=$time", map {
	'v1=' . hmac_sha256_hex("$time.$body", $_)
	} 's3same-s3same-s3same-file', 's3same-s3same-s3same-second'),
	'own - both secrets');

is($doc->{webhook}{description}, 'its own', 'own - description');
is($doc->{project}{id}, '4889 ', 'own - member');
is($doc->{organization}, undef, 'own - no member of the defaults');

# what inner defaults say, beside the outer ones

$p = $ping{'from-file'};
$body = $p->body();

is($p->header('X-Inner'), 'inner', 'inner - header');
is($p->header('X-Default'), undef, 'inner - headers are replaced as a whole');
is($p->header('Content-Type'), 'application/x-www-form-urlencoded',
	'inner - content type');
like($body, qr/^payload=%7B/, 'inner - form');
is($p->header('X-Hub-Signature-256'), 'sha256='
	. hmac_sha256_hex($body, 's3same-s3same-s3same-default'),
	'inner - secret of the outer defaults');
unlike($body, qr/s3same|from-file/, 'inner - url of a file is hidden');

# a reload with a mistake changes nothing; one without, what it says

$r->forget();

write_file($t->dir() . '/secret', '');
$t->allow(qr/secret" is empty in/);
ok(!$t->reload(), 'reload with a mistake');
like($t->reload_error(), qr/secret" is empty in/, 'reload - the reason');

write_file($t->dir() . '/secret', "s3same-s3same-s3same-other\n");
ok($t->reload(), 'reload');

is($t->get('/')->status, 200, 'reload - serves');

$conf =~ s/webhook hidden/webhook renamed/;
$t->http_config($conf, main => 'env WEBHOOK_TEST_SET;');
ok($t->reload(), 'reload - renamed');
ok($r->wait_requests(1), 'reload - one new webhook');

is(($r->requests())[0]->path(), '/from-file',
	'reload - a renamed one is new');
is(scalar $r->requests(), 1, 'reload - the others are not');

unlike($t->error_log(), qr/s3same/, 'no secret in the log');

$t->done();

###############################################################################
