"""Certificates from a CA by ACME, on the host: what certbot has, how it is asked, and what follows a renewal."""
