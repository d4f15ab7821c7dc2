# What an agent's unit does that somebody has to be asked about.
rt-asked
echo "asked=$?"
