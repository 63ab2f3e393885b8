/* libcurl.h - libcurl, loaded when it is first needed.
 *
 * It brings OpenSSL, LDAP, Kerberos and two dozen more libraries along: five megabytes resident in
 * every idle desk, for an upload a year and for the probes that need it. The program is not linked
 * with it; libcurl.c has functions of its names, as far as we use them, that pass the call on.
 * Callers include <curl/curl.h> and notice nothing. Any thread; curl_easy_init() comes first: it does
 * what curl_global_init() would, and is NULL, too, where the library is missing. */
#ifndef TIDEOVER_LIBCURL_H
#define TIDEOVER_LIBCURL_H

/* Why there is no handle: a sentence. */
const char *libcurl_why(void);

#endif
