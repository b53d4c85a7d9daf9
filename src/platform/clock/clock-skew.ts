/**
 * How far the clocks of replicas may lie apart, or one may jump, before what is used once could be used again: for so much longer than it
 * can be of use by one's own clock everything is remembered that others may have to know.
 */
export const CLOCK_SKEW_MILLIS = 5 * 60_000;
