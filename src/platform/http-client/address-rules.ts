import ipaddr from 'ipaddr.js';

const globalUnicast = ipaddr.parseCIDR('2000::/3');

/** RFC 9637: inside 2000::/3, and ipaddr.js does not know it yet. */
const documentation = ipaddr.parseCIDR('3fff::/20');

/** Amazon's IPv6 metadata service lies among the unique local addresses, but is nobody's own network. */
const cloudMetadata = ipaddr.parseCIDR('fd00:ec2::/32');

const internalRanges: readonly string[] = ['private', 'loopback', 'carrierGradeNat', 'uniqueLocal'];

/**
 * Whether an address is an ordinary one of the public internet (RFC 6890 and the IANA special-purpose registries).
 *
 * IPv6 is allowed only inside 2000::/3, so that whatever wraps an IPv4 address (mapped, compatible, NAT64) and whatever
 * is assigned outside later is refused without being listed.
 */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.parse(address);
  if (parsed.range() !== 'unicast') return false;
  return parsed.kind() === 'ipv4' || (parsed.match(globalUnicast) && !parsed.match(documentation));
}

/** Whether an operator's URL may lead there: the internet, the own network, the own machine; never link-local. */
export function isInternalOrPublicAddress(address: string): boolean {
  if (isPublicAddress(address)) return true;
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.parse(address);
  if (parsed.kind() === 'ipv6' && parsed.match(cloudMetadata)) return false;
  return internalRanges.includes(parsed.range());
}
