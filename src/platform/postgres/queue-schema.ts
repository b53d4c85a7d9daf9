/** The schema in which BullMQ keeps its tables while there is no Redis (P11). They are migrated with ours and are nobody else's. */
export const queueSchema = 'bullmq';
