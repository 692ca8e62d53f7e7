/* In a program that holds its own C library, names are looked up in /etc/hosts and by DNS and nowhere
 * else. Otherwise the library would load what /etc/nsswitch.conf names from the machine, and that was
 * made for the machine's own C library: with another version of it the program crashes.
 */
#include <nss.h>

__attribute__((constructor)) static void look_names_up_without_plugins(void)
{
    __nss_configure_lookup("hosts", "files dns");
}
