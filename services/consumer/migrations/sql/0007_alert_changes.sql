-- What an exchange says anew of a market, such as raised:WARNING.
ALTER TABLE alert ADD COLUMN changes text[] NOT NULL DEFAULT '{}';
