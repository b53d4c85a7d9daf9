import { parseDuration } from '../config/duration.js';
import { invalidRequest } from './problem.js';

/** @throws Problem 400 when `written` is no duration, or longer than `maxSeconds` */
export function requireDuration(member: string, written: string, maxSeconds: number): number {
  const seconds = parseDuration(written);
  if (seconds === undefined) throw invalidRequest(`${member} must be a duration such as 30m, 24h or 7d`);
  if (seconds > maxSeconds) throw invalidRequest(`${member} must be at most ${maxSeconds} seconds`);
  return Math.floor(seconds);
}
