import ipaddr from 'ipaddr.js';

/** What stands for an address in the key of a limit: whoever has one IPv6 address has its whole /64 (W23). */
export function addressKey(ip: string): string {
  if (!ipaddr.isValid(ip)) return ip;
  const address = ipaddr.process(ip);
  if (address.kind() === 'ipv4') return address.toString();
  return `${Buffer.from(address.toByteArray().slice(0, 8)).toString('hex')}/64`;
}
