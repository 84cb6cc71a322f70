"""Keys that people write into an app by the habit of other tools, and what there is instead."""

from __future__ import annotations

import re

# By what is meant: every word in small letters, without its underscores and hyphens.
MEANT = {
    "server_names": "domain domains hostname hostnames host ip vhost vhosts fqdn url urls sitename",
    "redirect_names": "alias aliases redirect redirects redirectfrom www",
    "prefix": "location mount mountpoint subpath basepath baseurl scriptname urlprefix pathprefix",
    "tls": "ssl https letsencrypt certbot acme secure",
    "tls_certificate": "certificate cert sslcert sslcertificate certfile tlscert",
    "tls_key": "privatekey sslkey keyfile tlsprivatekey sslcertificatekey",
    "headers": "httpheaders responseheaders addheaders",
    "static_folder": "static staticdir staticroot staticfiles assets public",
    "static_url": "staticpath staticurlpath",
    "media": "uploads mediaroot mediafolder uploadfolder",
    "max_body": "maxupload uploadlimit bodysize maxbodysize clientmaxbodysize maxcontentlength",
    "request_limits": "ratelimit ratelimits limits throttle",
    "cache": "caching microcache pagecache cachepaths",
    "streaming": "websocket websockets sse streams",
    "health_path": "health healthcheck healthurl healthz ping probe",
    "source": "repo repository git giturl gitrepo path src code folder directory dir",
    "ref": "branch tag commit revision version gitref gitbranch",
    "source_key": "deploykey sshkey gitkey",
    "exclude": "ignore excludes",
    "module": "wsgifile wsgimodule main script file",
    "callable": "app application wsgi wsgiapp factory appfactory entrypoint flaskapp",
    "chdir": "workdir workingdirectory cwd",
    "requirements": "pip pippackages dependencies deps requirementsfile",
    "packages": "apt aptpackages systempackages debianpackages",
    "python": "pythonversion interpreter",
    "environment": "env envs envvars environ vars variables environmentvariables",
    "required_environment": "requiredenv requiredvariables",
    "before_live": "migrate migrations predeploy beforedeploy hooks releasecommand prestart",
    "after_live": "postdeploy afterdeploy poststart",
    "workers": "celery queue daemon daemons background worker backgroundjobs",
    "timers": "cron crons cronjob cronjobs schedule schedules jobs periodic tasks",
    "processes": "workerscount workercount numworkers workerprocesses instances replicas concurrency gunicornworkers",
    "threads": "threadcount numthreads threadsperworker",
    "user": "owner runas group username account",
    "memory_max": "memory mem memorylimit ram maxmemory",
    "cpu_quota": "cpu cpus cpulimit",
    "request_timeout": "timeout requesttimeoutseconds harakiri",
    "hosts": "server servers limit inventory",
    "state": "enabled disabled ensure",
    "keep_releases": "keep releases history",
}
# What is no key of an app.
OTHERWISE = {
    "secret secrets secretkey password passwords vault credentials": "secrets stand beside web_apps, in "
    "web_app_secrets, below the app's name",
    "envfile dotenv": "write the variables into 'environment', and what is secret into web_app_secrets",
    "port ports httpport listen bind socket": "an app has none: nginx listens on web_http_port and web_https_port "
    "for all",
    "database db postgres postgresql redis": "list the app in services_postgresql or services_redis, or write the "
    "address into its secrets",
}


def tried(key: object) -> tuple[str, str]:
    """What there is in place of a key that there isn't, and which key that is; "" for each if nobody knows it."""
    word = re.sub(r"[_-]", "", str(key)).lower()
    for meant, words in MEANT.items():
        if word in words.split():
            return f"write {meant!r}", meant
    return next((remedy for words, remedy in OTHERWISE.items() if word in words.split()), ""), ""
