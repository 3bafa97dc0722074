-- Take the positions for this process, under the advisory locks. A position that was stored under another topic id
-- belongs to a topic that is no more: it starts over, one generation later. An owner who is still named did not give
-- up in good order: a batch of his was perhaps never acknowledged, and counts as one that was not, at his first partition.
INSERT INTO sink_position AS p (topic, partition, topic_id, owner)
SELECT w.topic, w.partition, w.topic_id, $4::text
FROM unnest($1::text[], $2::int[], $3::text[]) AS w (topic, partition, topic_id)
ORDER BY w.topic, w.partition
ON CONFLICT (topic, partition) DO UPDATE SET
    owner = excluded.owner,
    unacknowledged = p.unacknowledged
        + (p.owner <> '' AND (p.topic, p.partition) = (($1::text[])[1], ($2::int[])[1]))::int,
    next_offset = CASE WHEN p.topic_id = excluded.topic_id THEN p.next_offset END,
    generation = p.generation + (p.topic_id <> excluded.topic_id)::int,
    topic_id = excluded.topic_id
RETURNING topic, partition, next_offset, generation, batches, unacknowledged
